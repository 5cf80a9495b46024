/**
 * Fastify's proxy as an L7 rival: `node fastify.mjs LISTEN_PORT ORIGIN_PORT`. Prints `ready`. It sends requests by undici, which keeps its
 * connections; what it tells the origin about the client has to be asked for.
 */
import proxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const [listenPort, originPort] = process.argv.slice(2).map(Number);

const server = Fastify({ keepAliveTimeout: 60_000, bodyLimit: 2 ** 30 });
server.register(proxy, {
  upstream: `http://127.0.0.1:${originPort}`,
  undici: { connections: 128, pipelining: 1 },
  replyOptions: {
    // `Connection` is about one connection, and is passed on in both directions unless it is taken out.
    rewriteHeaders: ({ connection: _, ...headers }) => headers,
    rewriteRequestHeaders: (request, { connection: _, ...headers }) => ({
      ...headers,
      'x-forwarded-for': request.ip,
      'x-forwarded-proto': request.protocol,
      'x-forwarded-host': request.host,
    }),
  },
});
await server.listen({ port: listenPort, host: '127.0.0.1', backlog: 4096 });
console.log('ready');
