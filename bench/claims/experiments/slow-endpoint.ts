import { formatCount, formatFigure } from '../../report/figures.ts';
import { median } from '../../statistics.ts';
import type { Experiment } from '../claim.ts';
import { type Manners, quantile } from '../rig.ts';

const POLICIES = ['round-robin', 'random', 'least-request', 'least-time'] as const;
const ENDPOINTS = 4;
const RATE = 400;
const USUAL_MS = 5;
const SLOW_MS = 100;
const HALF_A_SECOND = 500;
/** From how many times the p99 of the other on a policy is called better. */
const BETTER = 1.5;

/** Endpoints work on so many requests at a time as a small application server does; the rest waits there. */
const CASES = {
  'equal durations': () => ({ delayMs: USUAL_MS, workers: 8 }),
  'one endpoint is slow': (index: number) => ({ delayMs: index === 0 ? SLOW_MS : USUAL_MS, workers: 8 }),
  'one request in 200 is slow, one worker': () => ({
    delayMs: USUAL_MS,
    slowMs: HALF_A_SECOND,
    slowShare: 1 / 200,
    workers: 1,
  }),
} satisfies Readonly<Record<string, (index: number) => Partial<Manners>>>;
type CaseName = keyof typeof CASES;
const SHORT: Readonly<Record<CaseName, string>> = {
  'equal durations': 'equal',
  'one endpoint is slow': 'slow endpoint',
  'one request in 200 is slow, one worker': 'mixed',
};

interface Row {
  readonly name: CaseName;
  readonly policy: (typeof POLICIES)[number];
  readonly p50Us: number;
  readonly p99Us: number;
  /** Most requests that the fullest endpoint had at a time. */
  readonly peak: number;
}

/** Requests that cost the same, and not. */
export const slowEndpoint: Experiment<readonly Row[]> = {
  number: 6,
  claim:
    'Round-robin is fair only where requests cost the same; where durations vary, fewest requests in flight is better, and one slow endpoint piles up work under round-robin.',
  async run(rig) {
    const [seconds, rounds] = rig.isQuick ? [1, 1] : [4, 3];
    const endpoints = await rig.endpoints(ENDPOINTS);
    const parts = POLICIES.map((policy) => ({ protocol: 'http', cluster: `policy: ${policy}, outlier: off` }) as const);
    const proxy = await rig.proxy(endpoints.ports, parts);
    const samples: Row[] = [];
    for (const [name, mannersOf] of Object.entries(CASES)) {
      for (const at of endpoints.ports.keys()) await endpoints.set(at, { slowMs: 0, slowShare: 0, ...mannersOf(at) });
      for (let round = 1; round <= rounds; round++) {
        for (const [index, policy] of POLICIES.entries()) {
          await endpoints.reset();
          const drive = { port: proxy.ports[index]!, ratePerSecond: RATE, seconds, seed: round };
          const { latenciesUs } = await rig.drive(drive);
          const peak = Math.max(...(await endpoints.counts()).map((counts) => counts.peak));
          const [p50Us, p99Us] = [quantile(latenciesUs, 0.5), quantile(latenciesUs, 0.99)];
          samples.push({ name: name as CaseName, policy, p50Us, p99Us, peak });
        }
      }
    }
    await Promise.all([proxy.end(), endpoints.end()]);
    return mediansOf(samples);
  },
  judge(rows) {
    const p99Of = (name: CaseName, policy: Row['policy']): number =>
      rows.find((row) => row.name === name && row.policy === policy)?.p99Us ?? Number.NaN;
    const gainOf = (name: CaseName): number => p99Of(name, 'round-robin') / p99Of(name, 'least-request');
    const [equal, slow, mixed] = Object.keys(CASES).map((name) => gainOf(name as CaseName)) as [number, number, number];
    const fairWhenEqual = equal < BETTER;
    const better = [slow, mixed].filter((gain) => gain >= BETTER).length;
    return {
      verdict: fairWhenEqual && better === 2 ? 'holds' : better === 0 ? 'false here' : 'half-true',
      found: `The p99 of round-robin is ${formatFigure(equal)} times that of least-request where durations are equal, ${formatFigure(slow)} times with one slow endpoint, and ${formatFigure(mixed)} times where one request in 200 takes half a second and each endpoint works on one at a time.`,
      table: {
        columns: ['', 'policy', 'p50 ms', 'p99 ms', 'most at one endpoint'],
        rows: rows.map(({ name, policy, p50Us, p99Us, peak }) => [
          name,
          policy,
          formatFigure(p50Us / 1000),
          formatFigure(p99Us / 1000),
          formatCount(peak),
        ]),
      },
      bars: rows
        .filter(({ policy }) => policy === 'round-robin' || policy === 'least-request')
        .map(({ name, policy, p99Us }) => ({ name: `${SHORT[name]}, ${policy}`, value: p99Us / 1000 })),
      unit: 'p99, ms',
      turns:
        'With room to spare: as long as no endpoint gets more than its workers can do, nothing piles up, whatever the policy.',
    };
  },
};

/** One row for each case and policy. */
function mediansOf(samples: readonly Row[]): Row[] {
  const rows: Row[] = [];
  for (const { name, policy } of samples) {
    if (rows.some((row) => row.name === name && row.policy === policy)) continue;
    const all = samples.filter((sample) => sample.name === name && sample.policy === policy);
    const middle = (of: (row: Row) => number): number => median(all.map(of));
    rows.push({
      name,
      policy,
      p50Us: middle(({ p50Us }) => p50Us),
      p99Us: middle(({ p99Us }) => p99Us),
      peak: middle(({ peak }) => peak),
    });
  }
  return rows;
}
