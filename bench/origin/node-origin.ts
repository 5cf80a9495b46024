/**
 * The origin where nginx is not installed, in a process of its own: `node node-origin.js PORT SECURE-PORT CERTIFICATE KEY`. It knows the
 * same paths as nginx.conf beside it.
 */
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { BODY_SIZES } from '../vocabulary.ts';
import { bodyOf } from './bodies.ts';

const [port, securePort, certificate, key] = process.argv.slice(2);
const KEEP_ALIVE = { keepAliveTimeout: 3_600_000 };
const bodies = new Map(BODY_SIZES.map((size) => [`/${size}`, bodyOf(size)]));
bodies.set('/closing', bodyOf('small'));

const answer: RequestListener = (request, response) => {
  if (request.url === '/upload') {
    request.resume().once('end', () => response.end(bodies.get('/small')));
    return;
  }
  if (request.url === '/closing') response.setHeader('Connection', 'close');
  const body = request.url === '/forwarded' ? forwarded(request.headers) : bodies.get(request.url ?? '');
  if (body === undefined) response.statusCode = 404;
  response.setHeader('Content-Length', body?.length ?? 0);
  response.end(body);
};
createServer(KEEP_ALIVE, answer).listen(Number(port), '127.0.0.1');
const pair = { cert: readFileSync(certificate!), key: readFileSync(key!) };
createSecureServer({ ...KEEP_ALIVE, ...pair }, answer).listen(Number(securePort), '127.0.0.1');

function forwarded(headers: NodeJS.Dict<string | string[]>): Buffer {
  const names = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'];
  return Buffer.from(names.map((name) => headers[name] ?? '').join('|'));
}
