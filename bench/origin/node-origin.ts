/**
 * The origin where nginx is not installed, in a process of its own: `node node-origin.js PORT`. It knows the same paths
 * as nginx.conf beside it.
 */
import { createServer } from 'node:http';
import { BODY_SIZES } from '../vocabulary.ts';
import { bodyOf } from './bodies.ts';

const port = Number(process.argv[2]);
const bodies = new Map(BODY_SIZES.map((size) => [`/${size}`, bodyOf(size)]));
bodies.set('/closing', bodyOf('small'));

const server = createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
  if (request.url === '/upload') {
    request.resume().once('end', () => response.end(bodies.get('/small')));
    return;
  }
  if (request.url === '/closing') response.setHeader('Connection', 'close');
  const body = request.url === '/forwarded' ? forwarded(request.headers) : bodies.get(request.url ?? '');
  if (body === undefined) response.statusCode = 404;
  response.setHeader('Content-Length', body?.length ?? 0);
  response.end(body);
});
server.listen(port, '127.0.0.1');

function forwarded(headers: NodeJS.Dict<string | string[]>): Buffer {
  const names = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'];
  return Buffer.from(names.map((name) => headers[name] ?? '').join('|'));
}
