/**
 * node http-proxy as an L7 rival: `node http-proxy.mjs LISTEN_PORT ORIGIN_PORT`. Prints `ready`. With a keep-alive agent:
 * without one it opens a connection per request.
 */
import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';

const [listenPort, originPort] = process.argv.slice(2).map(Number);

const proxy = httpProxy.createProxyServer({
  target: { host: '127.0.0.1', port: originPort },
  agent: new Agent({ keepAlive: true, maxFreeSockets: 128 }),
  xfwd: true,
});
proxy.on('error', (_error, _request, response) => {
  if (!response.headersSent) response.statusCode = 502;
  response.end();
});

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => proxy.web(request, response));
server.listen(listenPort, '127.0.0.1', 4096, () => console.log('ready'));
