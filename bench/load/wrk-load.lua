-- What wrk sends, and how it says what came back.
--   wrk … URL -- [pipelined DEPTH | upload FILE]

-- wrk sends the request that it has formed after this again and again, without Lua. Only several at a time must be asked for.
function init(arguments)
  local kind, value = arguments[1], arguments[2]
  if kind == "upload" then
    wrk.method = "POST"
    local file = assert(io.open(value, "rb"))
    wrk.body = file:read("*a")
    file:close()
  end
  if kind == "pipelined" then
    local all = wrk.format():rep(tonumber(value))
    request = function() return all end
  end
end

-- Prints the counts that wrk's own text rounds.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'summary {"requests":%d,"durationUs":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
