/**
 * Endpoints with manners that can be changed while they serve, in a process of its own: `node endpoints.js COUNT`. Prints one line of JSON, the ports.
 *
 * Each port answers any path after a while, by name (`X-Endpoint: INDEX`) and keeps count. `GET /_/set?KEY=VALUE…` changes its manners, `GET /_/count` says
 * what it has seen, `GET /_/reset` forgets that.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Counts, Manners } from './rig.ts';

const LAST_BREATH_MS = 50;

class Endpoint {
  readonly server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => this.#serve(request, response));
  readonly #index: number;
  readonly #queue: (() => void)[] = [];
  #manners: Manners = { delayMs: 0, slowMs: 0, slowShare: 0, status: 200, workers: 0 };
  #working = 0;
  #requests = 0;
  #checks = 0;
  #inFlight = 0;
  #peak = 0;
  #connections = 0;

  constructor(index: number) {
    this.#index = index;
    this.server.on('connection', (socket) => {
      this.#connections++;
      socket.once('close', () => this.#connections--);
    });
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://endpoint');
    if (pathname.startsWith('/_/')) this.#control(pathname, searchParams, response);
    else if (pathname === '/check') this.#check(response);
    else void this.#answer(response);
  }

  #control(pathname: string, parameters: URLSearchParams, response: ServerResponse): void {
    if (pathname === '/_/set') {
      const changed = Object.fromEntries([...parameters].map(([name, value]) => [name, JSON.parse(value)]));
      this.#manners = { ...this.#manners, ...changed };
    }
    if (pathname === '/_/reset') this.#requests = this.#checks = this.#peak = 0;
    if (pathname === '/_/stop') this.#stop();
    if (pathname === '/_/cut') setImmediate(() => this.server.closeAllConnections());
    // The connection that asks does not count.
    const counts: Counts = {
      requests: this.#requests,
      checks: this.#checks,
      inFlight: this.#inFlight,
      peak: this.#peak,
      connections: this.#connections - 1,
    };
    response.setHeader('Connection', 'close');
    response.end(JSON.stringify(counts));
  }

  /** As a process does that was told to end and does not wait: what is under way is cut after a moment. */
  #stop(): void {
    this.server.close();
    setTimeout(() => this.server.closeAllConnections(), LAST_BREATH_MS);
  }

  #check(response: ServerResponse): void {
    this.#checks++;
    response.statusCode = this.#manners.status;
    response.end('ok');
  }

  async #answer(response: ServerResponse): Promise<void> {
    this.#requests++;
    this.#inFlight++;
    this.#peak = Math.max(this.#peak, this.#inFlight);
    const { delayMs, slowMs, slowShare, status, workers } = this.#manners;
    const isQueued = workers > 0 && this.#working >= workers;
    if (isQueued) await new Promise<void>((turn) => this.#queue.push(turn));
    else this.#working++;
    const waitMs = Math.random() < slowShare ? slowMs : delayMs;
    if (waitMs > 0) await delay(waitMs);
    response.statusCode = status;
    response.setHeader('X-Endpoint', this.#index);
    response.end('ok');
    this.#inFlight--;
    // Who waits takes over the worker.
    const next = this.#queue.shift();
    if (next === undefined) this.#working--;
    else next();
  }
}

const count = Number(process.argv[2]);
const ports: Promise<number>[] = [];
for (let index = 0; index < count; index++) {
  const { server } = new Endpoint(index);
  ports.push(
    new Promise((resolve) => {
      server.listen(0, '127.0.0.1', 4096, () => resolve((server.address() as { port: number }).port));
    }),
  );
}
process.stdout.write(`${JSON.stringify(await Promise.all(ports))}\n`);
