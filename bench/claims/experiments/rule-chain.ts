import { execFileSync } from 'node:child_process';
import { findProgram } from '../../child-processes.ts';
import { freePorts } from '../../ports.ts';
import { formatCount, formatPercent } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';

const COUNTS = [3, 4];
const REQUESTS_PER_SECOND = 400;

interface Chain {
  readonly endpoints: number;
  /** What each rule should take of all connections: exact. */
  readonly exact: readonly number[];
  /** Connections that each rule took; empty where the kernel could not be asked. */
  readonly taken: readonly number[];
}

/** The share that each rule of a chain takes whose rules take 1/n, 1/(n-1), … 1 of what reaches them. */
export function chainShares(endpoints: number): number[] {
  let left = 1;
  return Array.from({ length: endpoints }, (_, index) => {
    const taken = left / (endpoints - index);
    left -= taken;
    return taken;
  });
}

/** Two of a binomial distribution's standard deviations, three times over: so far from its share a rule may be by chance. */
function isByChance({ exact, taken }: Chain): boolean {
  const total = taken.reduce((sum, count) => sum + count, 0);
  return taken.every((count, index) => {
    const share = exact[index]!;
    return Math.abs(count / total - share) <= 3 * Math.sqrt((share * (1 - share)) / total);
  });
}

/** nftables of this kernel, which takes each decision by a random number as the chain of a cluster's node does. */
export const ruleChain: Experiment<readonly Chain[]> = {
  number: 11,
  claim:
    "A kernel proxy's chain of rules that take one third, one half and all of what reaches them is an equal split (1/4, 1/3, 1/2, 1 for four).",
  async run(rig) {
    const chains: Chain[] = [];
    for (const count of COUNTS) {
      const endpoints = await rig.endpoints(count);
      const [port = 0] = await freePorts(1);
      const table = new RuleTable(port, endpoints.ports);
      if (table.isUsable) {
        await rig.drive({
          port,
          ratePerSecond: REQUESTS_PER_SECOND,
          seconds: rig.isQuick ? 2 : 8,
          headers: () => ({ connection: 'close' }),
        });
      }
      chains.push({ endpoints: count, exact: chainShares(count), taken: table.remove() });
      await endpoints.end();
    }
    return chains;
  },
  judge(chains) {
    const equal = chains.every(({ endpoints, exact }) =>
      exact.every((share) => Math.abs(share - 1 / endpoints) < 1e-12),
    );
    const measured = chains.filter(({ taken }) => taken.length > 0);
    const agrees = measured.every(isByChance);
    const run =
      measured.length === 0
        ? 'The kernel could not be asked here (it takes root and nftables).'
        : `In the real run the rules took ${measured.map(({ taken }) => taken.map(formatCount).join(', ')).join(' and ')} connections, ${agrees ? 'as far from that as chance allows' : 'farther from that than chance allows'}.`;
    return {
      verdict: equal && agrees ? 'holds' : equal ? 'half-true' : 'false here',
      found: `Of n endpoints, rule i takes 1/(n-i) of what the ones before have left, which is (n-i)/n: exactly 1/n. ${run}`,
      table: {
        columns: ['', 'rule', 'exact share', 'connections', 'measured share'],
        rows: chains.flatMap(({ endpoints, exact, taken }) => {
          const total = taken.reduce((sum, count) => sum + count, 0);
          return exact.map((share, index) => [
            `${endpoints} endpoints`,
            String(index + 1),
            formatPercent(share),
            taken.length === 0 ? '' : formatCount(taken[index]!),
            taken.length === 0 ? '' : formatPercent(taken[index]! / total),
          ]);
        }),
      },
      bars: measured.flatMap(({ endpoints, taken }) =>
        taken.map((count, index) => ({ name: `rule ${index + 1} of ${endpoints}`, value: count })),
      ),
      unit: 'connections',
      turns:
        'The split is of connections, as they are made: where they live long or carry unequal work, equal shares of connections are no equal load.',
    };
  },
};

/** The chain, in a table of its own on the output of this machine. */
class RuleTable {
  readonly isUsable: boolean;
  readonly #name: string;
  readonly #remove = (): void => void this.remove();

  constructor(port: number, targets: readonly number[]) {
    this.#name = `fourseven_bench_${port}`;
    this.isUsable = process.getuid?.() === 0 && findProgram('nft') !== undefined;
    if (!this.isUsable) return;
    const match = `ip daddr 127.0.0.1 tcp dport ${port}`;
    const rules = targets.map((target, index) => {
      const left = targets.length - index;
      return `    ${match} ${left > 1 ? `numgen random mod ${left} < 1 ` : ''}counter dnat to 127.0.0.1:${target}`;
    });
    const text = [
      `table ip ${this.#name} {`,
      '  chain output {',
      '    type nat hook output priority -100; policy accept;',
      ...rules,
      '  }',
      '}',
      '',
    ].join('\n');
    execFileSync(findProgram('nft')!, ['-f', '-'], { input: text });
    process.once('exit', this.#remove);
  }

  /** Returns how many connections each rule took. */
  remove(): number[] {
    if (!this.isUsable) return [];
    process.off('exit', this.#remove);
    const nft = findProgram('nft')!;
    const listed = execFileSync(nft, ['list', 'table', 'ip', this.#name], { encoding: 'utf8' });
    execFileSync(nft, ['delete', 'table', 'ip', this.#name]);
    return [...listed.matchAll(/counter packets ([0-9]+)/g)].map(([, count]) => Number(count));
  }
}
