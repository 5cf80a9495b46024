-- Prints the counts that wrk's own text rounds. Only `done` is defined, so wrk stays on its fast path: it looks at no
-- answer and builds no request in Lua.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'summary {"requests":%d,"durationUs":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
