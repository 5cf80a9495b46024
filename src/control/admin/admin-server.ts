/** The admin API: plain HTTP for operators and probes, on loopback unless configured otherwise; elsewhere a token is asked for. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, Server as NetServer, type Socket } from 'node:net';
import { formatAddress, type SocketAddress } from '../../core/address.ts';
import type { Addon } from '../../engine/binding.ts';
import { bindError, errnoName } from '../bind-error.ts';
import type { EventLog } from '../event-log.ts';
import { freeUnixPath, probePort } from '../port-probe.ts';
import { type Answer, failure } from './admin-answer.ts';
import { type AdminRoute, type AdminSource, adminRoutes } from './admin-routes.ts';
import { DashboardPage } from './dashboard-page.ts';
import { streamTo } from './live-stream.ts';

export const ADMIN_CONNECTIONS_MAX = 32;
const HEAD_MAX_BYTES = 8 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 5_000;
/** How often node:http looks for requests that are too slow. */
const TIMEOUT_CHECK_MS = 1_000;
/** Whoever takes nothing of an answer for so long is gone. */
const STALLED_TIMEOUT_MS = 30_000;
/** Asked by probes, which know no token; they tell nothing else. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz', '/']);
const EVENTS_PATH = '/api/events';

const BACKLOG = 128;

/** The part of the addon that makes a socket which can be handed over. */
type AdminAddon = Pick<Addon, 'listenSocket' | 'duplicateDescriptor' | 'closeDescriptor'>;

export class AdminServer {
  readonly #server: Server;
  readonly #routes: readonly AdminRoute[];
  readonly #source: AdminSource;
  readonly #dashboard = new DashboardPage();
  readonly #tokenDigest: Buffer | undefined;
  readonly #log: EventLog;
  /** A duplicate of the listening socket, for a successor; undefined where no addon can make one. */
  #descriptor: number | undefined;
  /** Of a unix socket that is ours to remove. */
  #path: string | undefined;
  /** Each answer is the last one of its connection: the next is the successor's. */
  #isLeaving = false;
  /** Connections that have had an answer, and may ask again. */
  readonly #idle = new Set<Socket>();
  #closeDescriptor = (_fd: number): unknown => undefined;

  private constructor(source: AdminSource, log: EventLog) {
    this.#source = source;
    this.#routes = adminRoutes(source);
    this.#tokenDigest = source.token === undefined ? undefined : digestOf(source.token);
    this.#log = log;
    this.#server = createServer({
      maxHeaderSize: HEAD_MAX_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    });
    this.#server.timeout = STALLED_TIMEOUT_MS;
    this.#server.maxConnections = ADMIN_CONNECTIONS_MAX;
    this.#server.on('connection', (socket) => socket.once('close', () => this.#idle.delete(socket)));
    this.#server.on('request', (request, response) => void this.#handle(request, response));
  }

  /**
   * Listens, or throws ProxyError `bind_failed`. `inherited`: the listening socket of the process before, which is the caller's no more.
   */
  static async listen(
    address: SocketAddress,
    source: AdminSource,
    log: EventLog,
    addon?: AdminAddon,
    inherited?: number,
  ): Promise<AdminServer> {
    const admin = new AdminServer(source, log);
    const fd = inherited ?? (addon && (await openSocket(address, addon)));
    const code = fd === undefined && address.family === 'unix' ? await freeUnixPath(address.path) : undefined;
    if (code !== undefined) throw bindError('admin', formatAddress(address), code);
    if (fd !== undefined && addon !== undefined) admin.#keep(fd, addon);
    await new Promise<void>((resolve, reject) => {
      admin.#server.once('error', (error: NodeJS.ErrnoException) => {
        reject(bindError('admin', formatAddress(address), error.code ?? error.message));
      });
      const bind = address.family === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
      admin.#server.listen(fd === undefined ? bind : { fd }, resolve);
    });
    admin.#server.on('error', (error) => log.error(`admin: ${error.message}`));
    admin.#path = address.family === 'unix' ? address.path : undefined;
    return admin;
  }

  #keep(fd: number, addon: AdminAddon): void {
    const duplicate = addon.duplicateDescriptor(fd);
    if (duplicate < 0) return;
    this.#descriptor = duplicate;
    this.#closeDescriptor = (own) => addon.closeDescriptor(own);
  }

  /** For a successor: where it listens, and a descriptor that stays ours. Undefined where there is none. */
  get forSuccessor(): { readonly address: string; readonly descriptor: number } | undefined {
    return this.#descriptor === undefined ? undefined : { address: this.address, descriptor: this.#descriptor };
  }

  /** A successor answers from now on; what was asked here is still answered. */
  leaveToSuccessor(): void {
    this.#path = undefined;
    this.#isLeaving = true;
    this.#stopListening();
    // As a server of net closes: that of http would also end who has connected and not asked yet.
    NetServer.prototype.close.call(this.#server);
    for (const socket of this.#idle) socket.destroy();
  }

  #stopListening(): void {
    if (this.#descriptor !== undefined) this.#closeDescriptor(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** The bound address, port 0 replaced by the real one. */
  get address(): string {
    const bound = this.#server.address();
    if (this.#path !== undefined) return formatAddress({ family: 'unix', path: this.#path });
    if (bound === null) return '';
    if (typeof bound === 'string') return formatAddress({ family: 'unix', path: bound });
    return formatAddress({ family: bound.family === 'IPv6' ? 6 : 4, host: bound.address, port: bound.port });
  }

  /** Ends at once: the last answers may be cut. */
  async close(): Promise<void> {
    this.#stopListening();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    // A socket that came as a descriptor leaves its path behind.
    if (this.#path !== undefined) rmSync(this.#path, { force: true });
  }

  #isAllowed({ headers: { authorization = '' } }: IncomingMessage): boolean {
    if (this.#tokenDigest === undefined) return true;
    const [, token = ''] = /^bearer +(\S+)$/i.exec(authorization) ?? [];
    return timingSafeEqual(digestOf(token), this.#tokenDigest);
  }

  /** Notes when the connection of a request is between two of them. */
  #watchIdle({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#idle.delete(socket);
    response.once('finish', () => {
      if (!socket.destroyed) this.#idle.add(socket);
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#watchIdle(request, response);
    // Nothing here has a body; bytes that come nevertheless are not read, and the connection ends with the answer.
    const hasBody = (request.headers['content-length'] ?? '0') !== '0' || 'transfer-encoding' in request.headers;
    if (hasBody) response.setHeader('connection', 'close');
    try {
      const answer = hasBody ? failure(413, 'no body is accepted here') : await this.#answer(request, response);
      // It may have begun to leave while it worked: the answer to an upgrade is the last one of its connection.
      if (this.#isLeaving && !response.headersSent) response.setHeader('connection', 'close');
      if (answer !== undefined) send(response, answer, request.method);
    } catch (error) {
      this.#log.error(
        `admin: ${request.method} ${request.url} failed: ${error instanceof Error ? error.message : error}`,
      );
      if (!response.headersSent) send(response, failure(500, 'this failed, the log says why'), request.method);
    }
  }

  /** Undefined: it is answered already, and goes on. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> {
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    if (!OPEN_PATHS.has(path) && !this.#isAllowed(request)) {
      return { ...failure(401, 'say the token: Authorization: Bearer …'), headers: { 'www-authenticate': 'Bearer' } };
    }
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead && path === '/') return this.#dashboard.answer(request.headers['if-none-match']);
    if (request.method === 'GET' && path === EVENTS_PATH && this.#source.live !== undefined) {
      return streamTo(response, this.#source.live) ? undefined : failure(503, 'too many watch already');
    }
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

/** Of the same length for every token, so that the time of a comparison tells nothing. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** A listening socket that can be handed over. Throws ProxyError `bind_failed`. */
async function openSocket(address: SocketAddress, addon: AdminAddon): Promise<number> {
  const fail = (code: string) => bindError('admin', formatAddress(address), code);
  if (address.family !== 'unix') {
    const tried = await probePort(address);
    if ('code' in tried) throw fail(tried.code);
  }
  const [host, port] = address.family === 'unix' ? [address.path, -1] : [address.host, address.port];
  const fd = addon.listenSocket(host, port, BACKLOG);
  if (fd < 0) throw fail(errnoName(-fd));
  return fd;
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
    ...answer.headers,
  });
  response.end(method === 'HEAD' ? undefined : body);
}
