import { makeRandom } from '../../load/open-loop/arrivals.ts';
import { formatCount, formatPercent } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { imbalance } from '../rig.ts';

const COUNTS = [2, 10, 100, 1_000];
/** Requests in flight for each endpoint of the arithmetic. */
const LOAD = 10;
const DRAWS = 20;
const ENDPOINTS = 10;
const RATE = 600;
const DELAY_MS = 100;

interface Row {
  readonly endpoints: number;
  readonly random: number;
  readonly twoChoices: number;
}

interface Data {
  readonly arithmetic: readonly Row[];
  /** The real run: how much the fullest of ten endpoints had at a time beyond the mean of the peaks. */
  readonly real: Row;
}

/** How full the fullest is if each of `endpoints × LOAD` requests goes to a random one, or to the emptier of two. The mean over some draws. */
export function throwAtRandom(endpoints: number, choices: 1 | 2, seed: number): number {
  const random = makeRandom(seed);
  let sum = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const counts = new Array<number>(endpoints).fill(0);
    for (let index = 0; index < endpoints * LOAD; index++) {
      const one = Math.floor(random() * endpoints);
      const other = choices === 1 ? one : Math.floor(random() * endpoints);
      counts[counts[other]! < counts[one]! ? other : one]! += 1;
    }
    sum += imbalance(counts);
  }
  return sum / DRAWS;
}

/** Two random choices, of which the emptier is taken (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001). */
export const twoChoices: Experiment<Data> = {
  number: 8,
  claim: 'A random choice works surprisingly well at scale; the better of two random choices does better.',
  async run(rig) {
    const arithmetic = COUNTS.map((endpoints) => ({
      endpoints,
      random: throwAtRandom(endpoints, 1, endpoints),
      twoChoices: throwAtRandom(endpoints, 2, endpoints),
    }));
    const endpoints = await rig.endpoints(ENDPOINTS);
    for (const index of endpoints.ports.keys()) await endpoints.set(index, { delayMs: DELAY_MS });
    const policies = ['random', 'least-request'];
    const parts = policies.map((policy) => ({ protocol: 'http', cluster: `policy: ${policy}` }) as const);
    const proxy = await rig.proxy(endpoints.ports, parts);
    const measured: number[] = [];
    for (const port of proxy.ports) {
      await endpoints.reset();
      await rig.drive({ port, ratePerSecond: RATE, seconds: rig.isQuick ? 2 : 5 });
      measured.push(imbalance((await endpoints.counts()).map((counts) => counts.peak)));
    }
    await Promise.all([proxy.end(), endpoints.end()]);
    const [random = Number.NaN, better = Number.NaN] = measured;
    return { arithmetic, real: { endpoints: ENDPOINTS, random, twoChoices: better } };
  },
  judge({ arithmetic, real }) {
    const last = arithmetic.at(-1)!;
    const first = arithmetic.at(0)!;
    const betterAlways = [...arithmetic, real].every((row) => row.twoChoices < row.random);
    // It would be "surprisingly well" if scale made it no worse.
    const worksAtScale = last.random <= first.random;
    const verdict = betterAlways && worksAtScale ? 'holds' : betterAlways ? 'half-true' : 'false here';
    const row = ({ endpoints, random, twoChoices: two }: Row, name: string): string[] => [
      name,
      formatCount(endpoints),
      formatPercent(random),
      formatPercent(two),
    ];
    return {
      verdict,
      found: `With ${LOAD} requests in flight for each of ${last.endpoints} endpoints, the fullest has ${formatPercent(last.random)} more than the mean under a random choice, ${formatPercent(last.twoChoices)} under the better of two (arithmetic); in the real run with ${real.endpoints} endpoints ${formatPercent(real.random)} against ${formatPercent(real.twoChoices)} more than the mean of the peaks.`,
      table: {
        columns: ['', 'endpoints', 'random', 'the better of two'],
        rows: [...arithmetic.map((one) => row(one, 'arithmetic')), row(real, 'real run')],
      },
      bars: [
        { name: `random, ${last.endpoints}`, value: 100 * last.random },
        { name: `two choices, ${last.endpoints}`, value: 100 * last.twoChoices },
        { name: `random, real ${real.endpoints}`, value: 100 * real.random },
        { name: `two choices, real ${real.endpoints}`, value: 100 * real.twoChoices },
      ],
      unit: 'fullest beyond the mean, %',
      turns:
        'The number of endpoints alone makes random worse, not better: the fullest of many is farther from the mean. What makes it better is more requests in flight for each: the deviation grows with their root, the mean with their number.',
    };
  },
};
