import { makeRandom } from '../../load/open-loop/arrivals.ts';
import { formatCount, formatPercent } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { imbalance } from '../rig.ts';

const COUNTS = [10, 100, 1_000, 10_000];
const ENDPOINTS = 4;
const DRAWS = 200;
const REAL_ADDRESSES = 20;
const RATE = 600;
/** From which share beyond the mean on a distribution is called broken. */
const BROKEN = 0.5;
/** Below which it is called even. */
const EVEN = 0.2;

interface Data {
  readonly arithmetic: readonly { readonly addresses: number; readonly alike: number; readonly zipf: number }[];
  readonly real: number;
}

/** Sizes of so many networks by Zipf's law: the nth largest has 1/n of the clients of the largest. */
export function zipfWeights(count: number): number[] {
  return Array.from({ length: count }, (_, index) => 1 / (index + 1));
}

/** How much the fullest of `endpoints` has beyond the mean if each address has an endpoint at random. The mean over some draws. */
export function hashedImbalance(weights: readonly number[], endpoints: number, seed: number): number {
  const random = makeRandom(seed);
  let sum = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const loads = new Array<number>(endpoints).fill(0);
    for (const weight of weights) loads[Math.floor(random() * endpoints)]! += weight;
    sum += imbalance(loads);
  }
  return sum / DRAWS;
}

export const hiddenClients: Experiment<Data> = {
  number: 9,
  claim: 'Hashing the source address breaks down where many clients stand behind a few addresses.',
  async run(rig) {
    const arithmetic = COUNTS.map((addresses) => ({
      addresses,
      alike: hashedImbalance(new Array<number>(addresses).fill(1), ENDPOINTS, addresses),
      zipf: hashedImbalance(zipfWeights(addresses), ENDPOINTS, addresses),
    }));
    const endpoints = await rig.endpoints(ENDPOINTS);
    const proxy = await rig.proxy(endpoints.ports, [{ protocol: 'http', cluster: 'policy: source-hash' }]);
    const [port = 0] = proxy.ports;
    const from = drawFrom(zipfWeights(REAL_ADDRESSES));
    const seconds = rig.isQuick ? 2 : 5;
    const address = (): string => `127.0.2.${1 + from()}`;
    await rig.drive({ port, ratePerSecond: RATE, seconds, from: address });
    const real = imbalance((await endpoints.counts()).map((counts) => counts.requests));
    await Promise.all([proxy.end(), endpoints.end()]);
    return { arithmetic, real };
  },
  judge({ arithmetic, real }) {
    const most = arithmetic.at(-1)!;
    const few = arithmetic.at(0)!;
    const breaks = few.zipf >= BROKEN && real >= BROKEN;
    const evenAlone = most.alike < EVEN;
    return {
      verdict: breaks && evenAlone ? 'holds' : breaks ? 'half-true' : 'false here',
      found: `With ${few.addresses} networks of unequal size, the fullest of ${ENDPOINTS} endpoints has ${formatPercent(few.zipf)} more than the mean, with ${formatCount(most.addresses)} still ${formatPercent(most.zipf)}; with as many alike ${formatPercent(most.alike)} (arithmetic). In the real run with ${REAL_ADDRESSES} addresses it had ${formatPercent(real)} more.`,
      table: {
        columns: ['', 'addresses', 'all alike', 'sizes by Zipf'],
        rows: [
          ...arithmetic.map(({ addresses, alike, zipf }) => [
            'arithmetic',
            formatCount(addresses),
            formatPercent(alike),
            formatPercent(zipf),
          ]),
          ['real run', formatCount(REAL_ADDRESSES), '', formatPercent(real)],
        ],
      },
      bars: [
        ...arithmetic.map(({ addresses, zipf }) => ({
          name: `${formatCount(addresses)} addresses`,
          value: 100 * zipf,
        })),
        { name: `${REAL_ADDRESSES}, real run`, value: 100 * real },
      ],
      unit: 'fullest beyond the mean, %',
      turns:
        'With thousands of addresses of like weight; or where what is hashed belongs to one user, as a cookie or a header does.',
    };
  },
};

/** Draws indices with these weights. */
export function drawFrom(weights: readonly number[], seed = 1): () => number {
  const random = makeRandom(seed);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return () => {
    let left = random() * total;
    for (let index = 0; index < weights.length; index++) {
      left -= weights[index]!;
      if (left < 0) return index;
    }
    return weights.length - 1;
  };
}
