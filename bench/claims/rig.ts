import { writeFile } from 'node:fs/promises';
import { Agent, type ClientRequest, get, request as open } from 'node:http';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Child } from '../child-processes.ts';
import type { Environment } from '../environment.ts';
import { poissonArrivals } from '../load/open-loop/arrivals.ts';
import { ROOT } from '../paths.ts';
import { freePorts } from '../ports.ts';
import { readProcessorTime } from '../processor-time.ts';

/** How an endpoint answers. */
export interface Manners {
  readonly delayMs: number;
  /** A share of the answers takes this long instead. */
  readonly slowMs: number;
  readonly slowShare: number;
  readonly status: number;
  /** How many requests it works on at a time; the others wait. 0: all of them. */
  readonly workers: number;
}

/** What an endpoint has seen. */
export interface Counts {
  readonly requests: number;
  /** Of `/check`, which is not counted among them. */
  readonly checks: number;
  readonly inFlight: number;
  /** Most that were in flight at a time. */
  readonly peak: number;
  /** Open now. */
  readonly connections: number;
}

/** What became of a load. */
export interface Tally {
  readonly sent: number;
  readonly answered: number;
  /** Connections that broke, and answers that never came. */
  readonly lost: number;
  /** By status. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Answers by the endpoint that gave them. */
  readonly endpoints: Readonly<Record<string, number>>;
  /** From when each request was due to its whole answer, in microseconds, ascending. */
  readonly latenciesUs: readonly number[];
  /** When the last answer with a status from 500 on, or the last loss, was noticed: milliseconds from the start; 0 if none. */
  readonly lastFailureMs: number;
}

export interface Drive {
  readonly port: number;
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly seed?: number;
  /** Of request `index`. */
  readonly headers?: (index: number) => Readonly<Record<string, string>>;
  /** 127.0.0.0/8: where request `index` comes from. Each address has connections of its own. */
  readonly from?: (index: number) => string;
  /** Most connections of each address. */
  readonly connectionsEach?: number;
  readonly path?: string;
  readonly onAnswer?: (index: number, endpoint: string, cookie: string | undefined) => void;
}

const ANSWER_DEADLINE_MS = 5_000;
const QUICK_BELOW_ROUNDS = 3;
const CONNECTIONS_MAX = 256;

/** Endpoints, all in one process. */
export class Endpoints {
  readonly ports: readonly number[];
  readonly #child: Child;
  readonly #ticksPerSecond: number;

  constructor(child: Child, ports: readonly number[], ticksPerSecond: number) {
    this.#child = child;
    this.#ticksPerSecond = ticksPerSecond;
    this.ports = ports;
  }

  set(index: number, manners: Partial<Manners>): Promise<Counts> {
    const parameters = Object.entries(manners).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    return this.#ask(index, `set?${parameters.join('&')}`);
  }

  count(index: number): Promise<Counts> {
    return this.#ask(index, 'count');
  }

  counts(): Promise<readonly Counts[]> {
    return Promise.all(this.ports.map((_, index) => this.count(index)));
  }

  async reset(): Promise<void> {
    await Promise.all(this.ports.map((_, index) => this.#ask(index, 'reset')));
  }

  /** Microseconds of processor time so far. */
  usedUs(): number {
    const { userUs, systemUs } = readProcessorTime(this.#child.pid, this.#ticksPerSecond);
    return userUs + systemUs;
  }

  /** Stops accepting, and cuts what is under way after a moment. */
  stop(index: number): Promise<Counts> {
    return this.#ask(index, 'stop');
  }

  /** Cuts what is under way, as a process that is killed does, and goes on. */
  cut(index: number): Promise<Counts> {
    return this.#ask(index, 'cut');
  }

  async #ask(index: number, what: string): Promise<Counts> {
    return JSON.parse(await fetchText(this.ports[index]!, `/_/${what}`)) as Counts;
  }

  end(): Promise<void> {
    return this.#child.end();
  }
}

export interface RunningProxy {
  /** Of each listener, in the order of the configuration. */
  readonly ports: readonly number[];
  /** `POST /api/…`; resolves with the status. */
  readonly command: (path: string) => Promise<number>;
  /** Microseconds of processor time so far. */
  readonly usedUs: () => number;
  readonly end: () => Promise<void>;
}

/** A listener with its cluster. */
export interface Part {
  readonly protocol: 'http' | 'tcp';
  /** The cluster as YAML in flow style, without its endpoints. */
  readonly cluster: string;
  /** The first so many of the endpoints. */
  readonly endpoints?: number;
}

/** What an experiment plays with: real endpoints, the real proxy, a load with names. */
export class Rig {
  readonly #environment: Environment;
  #proxies = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Whether a first look is enough: each setting once, and not for long. */
  get isQuick(): boolean {
    return this.#environment.options.rounds < QUICK_BELOW_ROUNDS;
  }

  async endpoints(count: number): Promise<Endpoints> {
    const script = fileURLToPath(new URL('./endpoints.js', import.meta.url));
    const { children, ticksPerSecond } = this.#environment;
    const child = children.start('endpoints', [process.execPath, script, String(count)], 'load core');
    const ports = JSON.parse(await child.waitForFirstLine()) as number[];
    return new Endpoints(child, ports, ticksPerSecond);
  }

  /**
   * Starts Fourseven with one listener for each part. All clusters have these endpoints, unless a part says how many of them.
   */
  async proxy(endpointPorts: readonly number[], parts: readonly Part[]): Promise<RunningProxy> {
    const { children, options, directory, ticksPerSecond } = this.#environment;
    const [admin = 0, ...ports] = await freePorts(parts.length + 1);
    const file = `${directory}/claim-${this.#proxies++}.yaml`;
    const lines = [
      'shards: 1',
      `admin: { address: 127.0.0.1:${admin} }`,
      'drain: { grace: 0s, deadline: 1s }',
      'listeners:',
      ...parts.map(
        ({ protocol }, index) =>
          `  l${index}: { address: 127.0.0.1:${ports[index]}, protocol: ${protocol}, cluster: c${index} }`,
      ),
      'clusters:',
      ...parts.map(({ cluster, endpoints = endpointPorts.length }, index) => {
        const addresses = endpointPorts.slice(0, endpoints).map((port) => `127.0.0.1:${port}`);
        return `  c${index}: { endpoints: [${addresses.join(', ')}], ${cluster} }`;
      }),
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    const child = children.start('fourseven', [resolve(ROOT, options.command), 'run', file], 'proxy core');
    await child.waitForLine('ready');
    return {
      ports,
      command: (path) => post(admin, path),
      usedUs: () => {
        const { userUs, systemUs } = readProcessorTime(child.pid, ticksPerSecond);
        return userUs + systemUs;
      },
      end: () => child.end(),
    };
  }

  /** Sends GETs by a Poisson schedule, whatever becomes of those before. */
  async drive({
    port,
    ratePerSecond,
    seconds,
    seed = 1,
    headers,
    from,
    connectionsEach = CONNECTIONS_MAX,
    path = '/',
    onAnswer,
  }: Drive): Promise<Tally> {
    const arrivals = poissonArrivals(ratePerSecond, seconds, seed);
    const agents = new Map<string, Agent>();
    const agentOf = (address: string): Agent => {
      const known = agents.get(address) ?? new Agent({ keepAlive: true, maxSockets: connectionsEach });
      agents.set(address, known);
      return known;
    };
    const statuses: Record<number, number> = {};
    const endpoints: Record<string, number> = {};
    const latenciesUs: number[] = [];
    let lost = 0;
    let lastFailureMs = 0;
    const startedAtMs = performance.now();
    const failed = (): void => {
      lastFailureMs = performance.now() - startedAtMs;
    };
    const send = (index: number): Promise<void> =>
      new Promise((done) => {
        const address = from?.(index);
        const request: ClientRequest = get({
          host: '127.0.0.1',
          port,
          path,
          agent: agentOf(address ?? ''),
          ...(address !== undefined && { localAddress: address }),
          headers: headers?.(index) ?? {},
          timeout: ANSWER_DEADLINE_MS,
        });
        const lose = (): void => {
          lost++;
          failed();
          done();
        };
        request.once('timeout', () => request.destroy(new Error('no answer')));
        request.once('error', lose);
        request.once('response', (response) => {
          response.resume().once('end', () => {
            const status = response.statusCode ?? 0;
            const endpoint = String(response.headers['x-endpoint'] ?? '');
            statuses[status] = (statuses[status] ?? 0) + 1;
            if (endpoint !== '') endpoints[endpoint] = (endpoints[endpoint] ?? 0) + 1;
            if (status >= 500) failed();
            latenciesUs.push((performance.now() - startedAtMs) * 1000 - arrivals[index]!);
            onAnswer?.(index, endpoint, response.headers['set-cookie']?.[0]);
            done();
          });
        });
      });
    const under: Promise<void>[] = [];
    for (let index = 0; index < arrivals.length; ) {
      const nowUs = (performance.now() - startedAtMs) * 1000;
      while (index < arrivals.length && arrivals[index]! <= nowUs) under.push(send(index++));
      await new Promise((turn) => setTimeout(turn, 1));
    }
    await Promise.all(under);
    for (const agent of agents.values()) agent.destroy();
    latenciesUs.sort((a, b) => a - b);
    const answered = latenciesUs.length;
    return { sent: arrivals.length, answered, lost, statuses, endpoints, latenciesUs, lastFailureMs };
  }
}

/** The value below which this share of an ascending list lies. NaN for an empty one. */
export function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? Number.NaN;
}

/** Requests that a client would call failed: lost, or answered with a status from 500 on. */
export function failedIn({ lost, statuses }: Tally): number {
  const refused = Object.entries(statuses).filter(([status]) => Number(status) >= 500);
  return lost + refused.reduce((sum, [, count]) => sum + count, 0);
}

/** How much the fullest has beyond its fair share: 0 is even, 1 is twice. */
export function imbalance(counts: readonly number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return Math.max(...counts) / mean - 1;
}

function fetchText(port: number, path: string): Promise<string> {
  return new Promise((done, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
      response.once('end', () => done(text));
    });
    request.once('error', reject);
  });
}

function post(port: number, path: string): Promise<number> {
  return new Promise((done, reject) => {
    const request = open({ host: '127.0.0.1', port, path, method: 'POST', agent: false }, (response) => {
      response.resume().once('end', () => done(response.statusCode ?? 0));
    });
    request.once('error', reject);
    request.end();
  });
}
