/** What clients saw, what the proxy counted and what endpoints got: the same, to the last request, whatever went wrong. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { until } from './deadline.ts';
import { closedPort } from './http-rig.ts';
import { ENGINES, ProxyProcess, temporaryDirectory } from './proxy-process.ts';

const CLIENTS = 12;
const ROUNDS = 60;
const PROMTOOL = '/usr/bin/promtool';
/** Longer than the route waits. */
const LATE_MS = 700;
const ROUTE_TIMEOUT = '250ms';

/** Answers as it is told by the path. */
class CountingOrigin {
  readonly #server = createServer((request, response) => this.#onRequest(request, response));
  received = 0;
  /** Clients that leave once their request is here, by its number. */
  readonly leaving = new Map<string, () => void>();

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.received++;
    const [, kind, number = ''] = request.url!.split('/');
    if (kind === 'leave') this.leaving.get(number)?.();
    request.on('error', () => {});
    if (kind === 'reset') request.socket.resetAndDestroy();
    else if (kind === 'late' || kind === 'leave') setTimeout(() => response.end('late'), LATE_MS);
    else request.resume().on('end', () => response.writeHead(kind === 'error' ? 500 : 200).end('x'.repeat(1_000)));
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

interface Tally {
  readonly answers: Map<string, number>;
  left: number;
}

function count(answers: Map<string, number>, status: string): void {
  answers.set(status, (answers.get(status) ?? 0) + 1);
}

/** One request on a connection of its own. Resolves when that is over: with the status, or without one. `onLeave`: is told how to leave before. */
function ask(port: number, text: string, onLeave?: (leave: () => void) => void): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    onLeave?.(() => socket.resetAndDestroy());
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 'none'));
    socket.on('end', () => socket.end());
  });
}

const head = (path: string, method = 'GET', more = '') =>
  `${method} ${path} HTTP/1.1\r\nHost: site\r\nConnection: close\r\n${more}\r\n`;

describe.each(ENGINES)('the tallies of a mixed run with faults, %s engine', (engine) => {
  const origin = new CountingOrigin();
  const directory = temporaryDirectory();
  const file = join(directory.path, 'access.log');
  const tally: Tally = { answers: new Map(), left: 0 };
  let proxy: ProxyProcess;
  let samples: Map<string, number>;
  let text: string;

  beforeAll(async () => {
    const endpoint = `127.0.0.1:${await origin.start()}`;
    proxy = await ProxyProcess.start({
      engine,
      shards: 2,
      listeners: {
        web: {
          address: '127.0.0.1:0',
          routes: [
            { name: 'dead', match: { hosts: ['site'], path: '/dead/*' }, cluster: 'dead' },
            { name: 'half', match: { hosts: ['site'], path: '/half/*' }, cluster: 'half' },
            { name: 'own', match: { hosts: ['site'], path: '/own/*' }, respond: { status: 204 } },
            { name: 'rest', match: { hosts: ['site'] }, cluster: 'site', timeout: ROUTE_TIMEOUT },
          ],
          accessLog: { file },
        },
      },
      clusters: {
        site: { endpoints: [endpoint], outlier: 'off' },
        half: { policy: 'round-robin', endpoints: [endpoint, `127.0.0.1:${await closedPort()}`], outlier: 'off' },
        dead: { endpoints: [`127.0.0.1:${await closedPort()}`], outlier: 'off' },
      },
    });
    const port = proxy.port('web');
    const random = new Random(47);
    let leavers = 0;
    const kinds: (() => Promise<string>)[] = [
      () => ask(port, head('/fine/1')),
      () => ask(port, `${head('/fine/2', 'POST', 'Content-Length: 4\r\n')}body`),
      () => ask(port, head('/error/1')),
      () => ask(port, head('/reset/1', 'POST', 'Content-Length: 0\r\n')),
      () => ask(port, head('/late/1')),
      () => ask(port, head('/dead/1')),
      () => ask(port, head('/half/1')),
      () => ask(port, head('/own/1')),
      () => ask(port, head('/elsewhere').replace('Host: site', 'Host: nobody')),
      () => ask(port, head('/%00')),
      () => ask(port, 'nonsense\r\n\r\n'),
      () => {
        const number = String(leavers++);
        return ask(port, head(`/leave/${number}`), (leave) => origin.leaving.set(number, leave));
      },
    ];
    const client = async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const status = await kinds[random.below(kinds.length)]!();
        if (status === 'none') tally.left++;
        else count(tally.answers, status);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    await until(
      10_000,
      'everything to be over',
      async () => (await proxy.metric('fourseven_active{listener="web"}')) === 0,
    );
    text = await (await proxy.admin('/metrics')).text();
    samples = new Map(
      text
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  }, 120_000);
  afterAll(async () => {
    await proxy.stop();
    origin.close();
    directory.remove();
  });

  const sum = (family: string, ...labels: string[]) =>
    [...samples].reduce((total, [name, value]) => {
      const isMeant = name.startsWith(`${family}{`) && labels.every((label) => name.includes(label));
      return total + (isMeant ? value : 0);
    }, 0);

  test('the proxy counted each answer that a client got, by its status, and each client that left', () => {
    const byStatus = Object.fromEntries(
      [...tally.answers].map(([status]) => [status, sum('fourseven_http_requests_total', `status="${status}"`)]),
    );
    expect(byStatus).toEqual(Object.fromEntries(tally.answers));
    expect(sum('fourseven_http_requests_total', 'status="aborted"')).toBe(tally.left);
    expect(sum('fourseven_http_requests_total')).toBe(CLIENTS * ROUNDS);
    expect([...tally.answers.keys()].sort()).toEqual(['200', '204', '400', '404', '500', '502', '504']);
    expect(tally.left).toBeGreaterThan(0);
  });

  test.skipIf(!existsSync(PROMTOOL))('promtool has no objection to what is told', () => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  });

  test('endpoints got each attempt that was not refused', () => {
    const attempts = sum('fourseven_upstream_attempts_total');
    const refused = sum('fourseven_upstream_connect_failures_total');
    const left = sum('fourseven_http_requests_total', 'status="aborted"');
    // Who left had an attempt under way that was neither answered nor failed.
    expect(attempts - refused + left).toBe(origin.received);
    expect(refused).toBeGreaterThan(0);
  });

  test('the access log has a line for each request, and tells the same', async () => {
    const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
    await until(5_000, 'all lines', () => lines().length === CLIENTS * ROUNDS);
    const byStatus = new Map<string, number>();
    for (const line of lines()) count(byStatus, String(JSON.parse(line).status));
    expect(byStatus.get('0') ?? 0).toBe(tally.left);
    byStatus.delete('0');
    expect(Object.fromEntries(byStatus)).toEqual(Object.fromEntries(tally.answers));
  });

  test('nothing is left open or in flight', () => {
    expect(sum('fourseven_connections')).toBe(0);
    expect(sum('fourseven_endpoint_in_flight')).toBe(0);
    expect(sum('fourseven_connections_accepted_total')).toBe(CLIENTS * ROUNDS);
    const routed =
      sum('fourseven_http_requests_total') - sum('fourseven_http_requests_total', 'route=""', 'status="400"');
    const timed = sum('fourseven_http_request_duration_seconds_count');
    // A head that was refused never became an exchange; a path that was refused did.
    expect(timed).toBeGreaterThanOrEqual(routed);
    expect(timed).toBeLessThan(CLIENTS * ROUNDS);
  });
});
