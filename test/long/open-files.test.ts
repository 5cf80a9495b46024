/** Far more clients than a process may have files: who is in is served, the others cost nothing, and once they leave it is as before. */
import { describe, expect, it } from 'vitest';
import { until, within } from '../integration/deadline.ts';
import { HttpClient } from '../integration/http-client.ts';
import { descriptorCount } from '../integration/process-memory.ts';
import { ENGINES, ProxyProcess } from '../integration/proxy-process.ts';
import { Child } from './child.ts';
import { requestText } from './load/raw-requests.ts';
import type { OriginPorts, OriginReport } from './origin/main.ts';
import { processorShare } from './process-figures.ts';

const DESCRIPTORS_MAX = 256;
const CLIENTS = 2_000;
/** Few enough to be served before the crowd comes. */
const INSIDE = 30;
const ANSWER_TIMEOUT_MS = 20_000;
const WATCHED_MS = 5_000;
const SHARE_MAX = 0.2;
const RECOVERED_WITHIN_MS = 2_000;

/** Sends something, and waits for what has to come back. Rejects if it does not. */
type Exchange = (client: HttpClient, id: string, ms: number) => Promise<void>;

const request: Exchange = async (client, id, ms) => {
  const { status } = await client.ask(requestText('GET', 'bytes', 10, id), { ms });
  if (status !== 200) throw new Error(`${id} was answered with ${status}`);
};

/** The first line tells the origin to echo; what follows comes back. */
function echo(): Exchange {
  const expected = new Map<HttpClient, string>();
  return async (client, id, ms) => {
    if (!expected.has(client)) client.send(`echo ${id} 0 0\n`);
    const text = `${expected.get(client) ?? ''}${id};`;
    expected.set(client, text);
    client.send(`${id};`);
    await client.until(`the echo of ${id}`, () => client.received === text, ms);
  };
}

/** What clients want, from which listener, and how. */
const CASES = [
  ['requests', 'web', () => request],
  ['sessions', 'raw', echo],
] as const;

describe.each(ENGINES)('at the limit of open files, the %s engine', (engine) => {
  it.each(CASES)(`serves who is in and rests while ${CLIENTS} clients want %s`, async (_, listener, exchange) => {
    const origin = await Child.start<OriginPorts, OriginReport>('origin/main.ts');
    const proxy = await ProxyProcess.start(
      {
        engine,
        shards: engine === 'native' ? 2 : 1,
        listeners: {
          web: { address: '127.0.0.1:0', cluster: 'web' },
          raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'raw' },
        },
        clusters: {
          web: { endpoints: [`127.0.0.1:${origin.started.steady[0]}`] },
          raw: { endpoints: [`127.0.0.1:${origin.started.sessions}`] },
        },
      },
      { descriptorsMax: DESCRIPTORS_MAX },
    );
    const clients: HttpClient[] = [];
    const connect = (count: number) => {
      const more = Array.from({ length: count }, () => new HttpClient(proxy.port(listener)));
      clients.push(...more);
      return more;
    };
    const exchangeWith = exchange();
    const exchangeAll = (all: readonly HttpClient[], word: string) =>
      Promise.all(all.map((client, index) => exchangeWith(client, `${word}-${index}`, ANSWER_TIMEOUT_MS)));
    try {
      const inside = connect(INSIDE);
      await exchangeAll(inside, 'before');

      const servedCount = await crowdIn(connect(CLIENTS), exchangeWith);
      expect(servedCount).toBeLessThan(DESCRIPTORS_MAX);
      await exchangeAll(inside, 'starved');
      expect((await proxy.admin('/readyz')).status).toBe(200);
      expect(descriptorCount(proxy.pid)).toBeLessThan(DESCRIPTORS_MAX);
      expect(await processorShare(proxy.pid, WATCHED_MS)).toBeLessThan(SHARE_MAX);
      await exchangeAll(inside, 'still');

      for (const client of clients) client.close();
      await within(RECOVERED_WITHIN_MS, 'a new client is served', exchangeAll(connect(1), 'after'));
      expect((await proxy.status()).shards.every(({ restarts }) => restarts === 0)).toBe(true);
      for (const client of clients) client.close();
      expect((await proxy.stop()).code).toBe(0);
    } finally {
      for (const client of clients) client.close();
      proxy.signal('SIGKILL');
      origin.kill();
    }
  });
});

/** All want something. Gives how many got it, once that number stands. */
async function crowdIn(crowd: readonly HttpClient[], exchange: Exchange): Promise<number> {
  const STEADY_MS = 1_000;
  let servedCount = 0;
  let changedMs = performance.now();
  for (const [index, client] of crowd.entries()) {
    const served = () => {
      servedCount++;
      changedMs = performance.now();
    };
    // The others wait for longer than this test lasts, or are refused: both is fine.
    exchange(client, `crowd-${index}`, 10 * ANSWER_TIMEOUT_MS).then(served, () => {});
  }
  await until(ANSWER_TIMEOUT_MS, 'a steady number of served clients', () => performance.now() - changedMs > STEADY_MS);
  return servedCount;
}
