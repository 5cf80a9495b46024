import { formatCount, formatPercent } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { failedIn, imbalance, type Part } from '../rig.ts';
import { drawFrom, zipfWeights } from './hidden-clients.ts';

const ENDPOINTS = 4;
const CLIENTS = 60;
const RATE = 400;
const UNEVEN = 0.25;

const KINDS = [
  { name: 'none', cluster: 'policy: least-request' },
  { name: 'cookie', cluster: 'policy: least-request, stickiness: { cookie: f7 }' },
  { name: 'source hash', cluster: 'policy: source-hash' },
] as const;

interface Row {
  readonly name: (typeof KINDS)[number]['name'];
  /** Of clients by the endpoint that they stay with; NaN where they stay nowhere. */
  readonly clients: number | null;
  /** Of requests, which a few clients make most of. */
  readonly requests: number;
  /** Clients that have another endpoint after one has died, as a share of those that stayed with one; null where none stay. */
  readonly moved: number | null;
  readonly lost: number;
}

/** Clients of Zipf's activity, each at an address of its own. Half-way, one endpoint ends. */
export const stickiness: Experiment<readonly Row[]> = {
  number: 12,
  claim:
    'Sticky sessions skew the load: a busy client or a dead endpoint hurts; a cookie is more even than the source hash.',
  async run(rig) {
    const rows: Row[] = [];
    for (const { name, cluster } of KINDS) {
      const endpoints = await rig.endpoints(ENDPOINTS);
      const parts: Part[] = [{ protocol: 'http', cluster: `${cluster}, retry: { attempts: 2 }` }];
      const proxy = await rig.proxy(endpoints.ports, parts);
      const [port = 0] = proxy.ports;
      const homes = new Map<number, Set<string>>();
      const cookies = new Map<number, string>();
      const ask = async (seed: number) => {
        // Each client comes once before the busy ones come again.
        const draw = drawFrom(zipfWeights(CLIENTS), seed);
        const drawn: number[] = [];
        const clientOf = (index: number): number => {
          drawn[index] ??= index < CLIENTS ? index : draw();
          return drawn[index];
        };
        homes.clear();
        return rig.drive({
          port,
          ratePerSecond: RATE,
          seconds: rig.isQuick ? 1.5 : 4,
          seed,
          from: (index) => `127.0.3.${1 + clientOf(index)}`,
          headers: (index) => {
            const cookie = cookies.get(clientOf(index));
            return cookie === undefined ? {} : { cookie };
          },
          onAnswer: (index, endpoint, cookie) => {
            const client = clientOf(index);
            homes.set(client, (homes.get(client) ?? new Set()).add(endpoint));
            if (cookie !== undefined) cookies.set(client, cookie.split(';')[0]!);
          },
        });
      };
      await ask(1);
      await endpoints.reset();
      const before = await ask(2);
      const homeBefore = new Map([...homes].map(([client, all]) => [client, [...all]]));
      await endpoints.stop(0);
      const after = await ask(3);
      const stays = name !== 'none';
      const kept = [...homeBefore].filter(([, all]) => all.length === 1);
      const moved = kept.filter(([client, [home]]) => !homes.get(client)?.has(home!));
      const perEndpoint = endpoints.ports.map((_, at) => kept.filter(([, [home]]) => home === String(at)).length);
      rows.push({
        name,
        clients: stays ? imbalance(perEndpoint) : null,
        requests: imbalance(endpoints.ports.map((_, at) => before.endpoints[at] ?? 0)),
        moved: stays ? moved.length / kept.length : null,
        lost: failedIn(before) + failedIn(after),
      });
      await Promise.all([proxy.end(), endpoints.end()]);
    }
    return rows;
  },
  judge(rows) {
    const [none, cookie, hash] = rows as readonly [Row, Row, Row];
    const skews = Math.max(cookie.requests, hash.requests) > none.requests + UNEVEN;
    const cookieIsEven = (cookie.clients ?? 0) < (hash.clients ?? 0);
    const moves = Math.min(cookie.moved ?? 0, hash.moved ?? 0) > 0;
    const right = [skews, cookieIsEven, moves].filter(Boolean).length;
    return {
      verdict: right === 3 ? 'holds' : right === 0 ? 'false here' : 'half-true',
      found: `The busiest endpoint had ${formatPercent(none.requests)} more requests than the mean without stickiness, ${formatPercent(cookie.requests)} with the cookie, ${formatPercent(hash.requests)} with the source hash. By clients, ${formatPercent(cookie.clients ?? 0)} and ${formatPercent(hash.clients ?? 0)} more. When one of ${ENDPOINTS} endpoints ended, ${formatPercent(cookie.moved ?? 0)} of the clients lost their endpoint with the cookie, ${formatPercent(hash.moved ?? 0)} with the hash.`,
      table: {
        columns: ['', 'fullest by clients', 'fullest by requests', 'clients that moved', 'requests lost'],
        rows: rows.map(({ name, clients, requests, moved, lost }) => [
          name,
          clients === null ? '' : formatPercent(clients),
          formatPercent(requests),
          moved === null ? '' : formatPercent(moved),
          formatCount(lost),
        ]),
      },
      bars: rows.map(({ name, requests }) => ({ name, value: 100 * requests })),
      unit: 'busiest beyond the mean, %',
      turns:
        'Where clients are many and alike, stickiness skews nothing. An endpoint that is down moves its own clients alone, by cookie or by hash; one that is taken out of the configuration moves nearly all of them, where the hash is modulo N.',
    };
  },
};
