/** The admin API: plain HTTP for operators and probes, on loopback unless configured otherwise. It has no authentication. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { formatAddress, type SocketAddress } from '../../core/address.ts';
import { bindError } from '../bind-error.ts';
import type { EventLog } from '../event-log.ts';
import { freeUnixPath } from '../port-probe.ts';
import { type Answer, failure } from './admin-answer.ts';
import { type AdminRoute, type AdminSource, adminRoutes } from './admin-routes.ts';

export const ADMIN_CONNECTIONS_MAX = 32;
const HEAD_MAX_BYTES = 8 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 5_000;
/** How often node:http looks for requests that are too slow. */
const TIMEOUT_CHECK_MS = 1_000;

export class AdminServer {
  readonly #server: Server;
  readonly #routes: readonly AdminRoute[];
  readonly #log: EventLog;

  private constructor(source: AdminSource, log: EventLog) {
    this.#routes = adminRoutes(source);
    this.#log = log;
    this.#server = createServer({
      maxHeaderSize: HEAD_MAX_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    });
    this.#server.maxConnections = ADMIN_CONNECTIONS_MAX;
    this.#server.on('request', (request, response) => void this.#handle(request, response));
  }

  /** Listens, or throws ProxyError `bind_failed`. */
  static async listen(address: SocketAddress, source: AdminSource, log: EventLog): Promise<AdminServer> {
    const admin = new AdminServer(source, log);
    const code = address.family === 'unix' ? await freeUnixPath(address.path) : undefined;
    if (code !== undefined) throw bindError('admin', formatAddress(address), code);
    await new Promise<void>((resolve, reject) => {
      admin.#server.once('error', (error: NodeJS.ErrnoException) => {
        reject(bindError('admin', formatAddress(address), error.code ?? error.message));
      });
      const where = address.family === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
      admin.#server.listen(where, resolve);
    });
    admin.#server.on('error', (error) => log.error(`admin: ${error.message}`));
    return admin;
  }

  /** The bound address, port 0 replaced by the real one. */
  get address(): string {
    const bound = this.#server.address();
    if (bound === null) return '';
    if (typeof bound === 'string') return formatAddress({ family: 'unix', path: bound });
    return formatAddress({ family: bound.family === 'IPv6' ? 6 : 4, host: bound.address, port: bound.port });
  }

  /** Ends at once: the last answers may be cut. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Nothing here has a body; bytes that come nevertheless are not read, and the connection ends with the answer.
    const hasBody = (request.headers['content-length'] ?? '0') !== '0' || 'transfer-encoding' in request.headers;
    if (hasBody) response.setHeader('connection', 'close');
    try {
      send(response, hasBody ? failure(413, 'no body is accepted here') : await this.#answer(request), request.method);
    } catch (error) {
      this.#log.error(
        `admin: ${request.method} ${request.url} failed: ${error instanceof Error ? error.message : error}`,
      );
      if (!response.headersSent) send(response, failure(500, 'this failed, the log says why'), request.method);
    }
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    if (request.method === 'POST' && isForged(request)) return failure(403, 'requests of other sites are refused');
    const allowed = new Set<string>();
    for (const route of this.#routes) {
      const match = route.path.exec(path);
      if (match === null) continue;
      if (request.method === route.method || (request.method === 'HEAD' && route.method === 'GET'))
        return route.answer(match, new URLSearchParams(query), request.headers);
      allowed.add(route.method === 'GET' ? 'GET, HEAD' : route.method);
    }
    if (allowed.size === 0) return failure(404, 'there is nothing at this path');
    return { ...failure(405, 'this path does not answer that method'), allow: [...allowed].join(', ') };
  }
}

/**
 * Whether a page of another site may have made the browser send this: then it has an Origin that is not ours. Ours is only what names this
 * machine by address or as localhost: any other name may have been pointed here for the purpose (DNS rebinding).
 */
function isForged({ headers }: IncomingMessage): boolean {
  const { origin, host = '' } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  if (origin === undefined) return false;
  const name = host.replace(/:\d+$/, '');
  const isOurName = name === 'localhost' || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
  return !isOurName || origin !== `http://${host}`;
}

function send(response: ServerResponse, answer: Answer, method: string | undefined): void {
  const body = Buffer.from(answer.body);
  response.writeHead(answer.status, {
    'content-type': answer.contentType ?? 'text/plain; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    ...(answer.allow === undefined ? {} : { allow: answer.allow }),
  });
  response.end(method === 'HEAD' ? undefined : body);
}
