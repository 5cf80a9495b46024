import { formatPercent } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { imbalance, type Part } from '../rig.ts';

const ENDPOINTS = 10;
const RATE = 600;
/** How far from theory a share may be and still be called the same: about two standard deviations of a thousand keys. */
const TOLERANCE = 0.03;

const KINDS = [
  { name: 'modulo N', cluster: 'policy: source-hash' },
  { name: 'ring, 160 points', cluster: 'policy: ring-hash' },
  { name: 'ring, load bounded to 1.25', cluster: 'policy: ring-hash, boundedLoad: 1.25' },
  { name: 'Maglev, 65,537 slots', cluster: 'policy: maglev' },
] as const;

interface Row {
  readonly name: (typeof KINDS)[number]['name'];
  /** Share of the keys whose endpoint was another one without the last endpoint. */
  readonly moved: number;
  readonly imbalance: number;
}

/** The same keys over ten endpoints, and over nine of them. */
export const remapping: Experiment<readonly Row[]> = {
  number: 10,
  claim:
    'Hashing modulo N moves nearly every key when an endpoint comes or goes; consistent hashing moves about one in N.',
  async run(rig) {
    const endpoints = await rig.endpoints(ENDPOINTS);
    const parts: Part[] = KINDS.flatMap(({ cluster }) =>
      [ENDPOINTS, ENDPOINTS - 1].map(
        (count) => ({ protocol: 'http', cluster: `${cluster}, hashOn: "header:x-key"`, endpoints: count }) as const,
      ),
    );
    const proxy = await rig.proxy(endpoints.ports, parts);
    const ask = async (port: number): Promise<string[]> => {
      const chosen: string[] = [];
      await rig.drive({
        port,
        ratePerSecond: RATE,
        seconds: rig.isQuick ? 1 : 3,
        headers: (index) => ({ 'x-key': `key-${index}` }),
        onAnswer: (index, endpoint) => {
          chosen[index] = endpoint;
        },
      });
      return chosen;
    };
    const rows: Row[] = [];
    for (const [index, { name }] of KINDS.entries()) {
      const [before, after] = [await ask(proxy.ports[2 * index]!), await ask(proxy.ports[2 * index + 1]!)];
      const moved = before.filter((endpoint, key) => endpoint !== after[key]).length / before.length;
      const counts = endpoints.ports.map((_, at) => before.filter((endpoint) => endpoint === String(at)).length);
      rows.push({ name, moved, imbalance: imbalance(counts) });
    }
    await Promise.all([proxy.end(), endpoints.end()]);
    return rows;
  },
  judge(rows) {
    const movedOf = (name: Row['name']): number => rows.find((row) => row.name === name)?.moved ?? Number.NaN;
    const [modulo, consistent] = [1 - 1 / ENDPOINTS, 1 / ENDPOINTS];
    const moduloMoves = Math.abs(movedOf('modulo N') - modulo) < TOLERANCE;
    const others = [movedOf('ring, 160 points'), movedOf('Maglev, 65,537 slots')];
    const consistentStays = others.every((moved) => Math.abs(moved - consistent) < TOLERANCE);
    return {
      verdict: moduloMoves && consistentStays ? 'holds' : moduloMoves || consistentStays ? 'half-true' : 'false here',
      found: `Of the keys, ${formatPercent(movedOf('modulo N'))} moved modulo N (theory ${formatPercent(modulo)}), ${formatPercent(others[0]!)} on the ring and ${formatPercent(others[1]!)} with Maglev (theory ${formatPercent(consistent)}).`,
      table: {
        columns: ['', 'moved', 'fullest beyond the mean'],
        rows: rows.map(({ name, moved, imbalance: uneven }) => [name, formatPercent(moved), formatPercent(uneven)]),
      },
      bars: rows.map(({ name, moved }) => ({ name, value: 100 * moved })),
      unit: 'keys that moved, %',
      turns:
        'Never for the moved keys: it is arithmetic. A bound on the load gives up some of it for evenness, and keys that were sent on then move back and forth.',
    };
  },
};
