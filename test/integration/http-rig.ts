/** One proxy with HTTP listeners in front of a scripted origin: started once per engine and file, used by all cases of the file. */
import type { ConfigInput } from '../../src/config/config.ts';
import { HttpClient } from './http-client.ts';
import { Origin } from './origin-server.ts';
import { ProxyProcess } from './proxy-process.ts';

export type EngineName = 'native' | 'node';
type Listeners = ConfigInput['listeners'];
type Clusters = ConfigInput['clusters'];

/** What a file needs besides the listener `web`, which leads to the origin. */
export interface RigOptions {
  readonly routes?: readonly object[];
  readonly listeners?: Listeners;
  readonly clusters?: Clusters;
}

export class HttpRig {
  readonly origin: Origin;
  readonly proxy: ProxyProcess;
  readonly #clients: HttpClient[] = [];

  private constructor(origin: Origin, proxy: ProxyProcess) {
    this.origin = origin;
    this.proxy = proxy;
  }

  /** One shard, so that all cases share its connection pool. The cluster `origin` is the scripted origin; `web` names no requests, so that what it
   *  forwards is known to the byte. */
  static async start(
    engine: EngineName,
    options: (origin: Origin) => RigOptions = () => ({}),
    more: Partial<ConfigInput> = {},
  ): Promise<HttpRig> {
    const origin = await Origin.start();
    const { routes = [], listeners = {}, clusters = {} } = options(origin);
    const proxy = await ProxyProcess.start({
      engine,
      shards: 1,
      listeners: {
        web: { address: '127.0.0.1:0', requestId: false, routes: [...routes, { cluster: 'origin' }] },
        ...listeners,
      } as Listeners,
      clusters: { origin: { endpoints: [`127.0.0.1:${origin.port}`] }, ...clusters },
      ...more,
    });
    return new HttpRig(origin, proxy);
  }

  /** A new connection to a listener. Closed with `reset`. */
  client(listener = 'web', host?: string): HttpClient {
    const client = new HttpClient(this.proxy.port(listener), host);
    this.#clients.push(client);
    return client;
  }

  /** After a case: its clients are gone, and the origin is as new. */
  async reset(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await this.origin.reset();
  }

  /** `expected`: what shards may say beside ejections. */
  async stop(expected = 'is ejected'): Promise<void> {
    const { code } = await this.proxy.stop();
    await this.origin.close();
    const complaints = this.proxy.stderr
      .split('\n')
      .filter((line) => line.includes('shard') && !line.includes('is ejected') && !line.includes(expected));
    if (code !== 0 || complaints.length > 0) throw new Error(`the proxy ended with ${code}:\n${this.proxy.stderr}`);
  }
}

/** Below what the kernel hands out, so that no other test is given it meanwhile (ip_local_port_range). */
let nextClosedPort = 1;

/** A port where nobody listens, another one each time. */
export async function closedPort(): Promise<number> {
  return nextClosedPort++;
}

/** `GET target` with a Host and whatever lines are given. */
export function get(target = '/', ...lines: readonly string[]): string {
  return request('GET', target, lines);
}

export function request(method: string, target: string, lines: readonly string[] = [], body = ''): string {
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: example.test'];
  return `${[`${method} ${target} HTTP/1.1`, ...host, ...lines].join('\r\n')}\r\n\r\n${body}`;
}

/** POST with a body of known length. */
export function post(target: string, body: string, ...lines: readonly string[]): string {
  return request('POST', target, [`Content-Length: ${body.length}`, ...lines], body);
}

/** POST with a chunked body, given with its framing. */
export function postChunked(target: string, framed: string, ...lines: readonly string[]): string {
  return request('POST', target, ['Transfer-Encoding: chunked', ...lines], framed);
}
