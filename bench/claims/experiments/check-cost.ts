import { setTimeout as delay } from 'node:timers/promises';
import { formatCount, formatFigure, formatPercent } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { quantile } from '../rig.ts';

const ENDPOINTS = 1_000;
const RATE = 500;
const INTERVAL_S = 2;
/** A share of a core that is called negligible. */
const NEGLIGIBLE = 0.05;

interface Sample {
  readonly usedUs: number;
  readonly endpointsUsedUs: number;
  readonly checks: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

interface Data {
  readonly seconds: number;
  readonly without: Sample;
  readonly with: Sample;
}

/** A thousand endpoints, checked or not, beside the same traffic. */
export const checkCost: Experiment<Data> = {
  number: 15,
  claim: 'An HTTP check costs one to five milliseconds, which is negligible.',
  async run(rig) {
    const seconds = rig.isQuick ? 4 : 10;
    const endpoints = await rig.endpoints(ENDPOINTS);
    const sample = async (cluster: string): Promise<Sample> => {
      const proxy = await rig.proxy(endpoints.ports, [{ protocol: 'http', cluster }]);
      // Past the first checks, which all come at the start.
      await delay(1.5 * INTERVAL_S * 1000);
      await endpoints.reset();
      const [usedUs, endpointsUsedUs] = [proxy.usedUs(), endpoints.usedUs()];
      const { latenciesUs } = await rig.drive({ port: proxy.ports[0]!, ratePerSecond: RATE, seconds });
      const used = { usedUs: proxy.usedUs() - usedUs, endpointsUsedUs: endpoints.usedUs() - endpointsUsedUs };
      const checks = (await endpoints.counts()).reduce((sum, counts) => sum + counts.checks, 0);
      await proxy.end();
      return { ...used, checks, p50Us: quantile(latenciesUs, 0.5), p99Us: quantile(latenciesUs, 0.99) };
    };
    const without = await sample('policy: round-robin');
    const check = `{ type: http, path: /check, interval: ${INTERVAL_S}s, timeout: 2s }`;
    const checked = await sample(`policy: round-robin, healthCheck: ${check}`);
    await endpoints.end();
    return { seconds, without, with: checked };
  },
  judge({ seconds, without, with: checked }) {
    const perCheckUs = (checked.usedUs - without.usedUs) / checked.checks;
    const atEndpointUs = (checked.endpointsUsedUs - without.endpointsUsedUs) / checked.checks;
    const share = (checked.usedUs - without.usedUs) / (seconds * 1e6);
    const isCheap = perCheckUs < 1_000;
    const isNegligible = share / ENDPOINTS < NEGLIGIBLE / 100;
    return {
      verdict: !isNegligible ? 'false here' : isCheap ? 'half-true' : 'holds',
      found: `One check costs ${formatFigure(perCheckUs)} µs of the proxy's processor time and ${formatFigure(atEndpointUs)} µs of the endpoint's, less than a millisecond. ${formatCount(ENDPOINTS)} endpoints every ${INTERVAL_S} s take ${formatPercent(share)} of a core; the traffic beside them had a p99 of ${formatFigure(checked.p99Us / 1000)} ms instead of ${formatFigure(without.p99Us / 1000)} ms.`,
      table: {
        columns: ['', 'checks', 'proxy, ms of CPU', 'endpoints, ms of CPU', 'p50 ms', 'p99 ms'],
        rows: (
          [
            ['not checked', without],
            ['checked', checked],
          ] as const
        ).map(([name, one]) => [
          name,
          formatCount(one.checks),
          formatFigure(one.usedUs / 1000),
          formatFigure(one.endpointsUsedUs / 1000),
          formatFigure(one.p50Us / 1000),
          formatFigure(one.p99Us / 1000),
        ]),
      },
      bars: [
        { name: 'proxy', value: perCheckUs },
        { name: 'endpoint', value: atEndpointUs },
      ],
      unit: 'µs of CPU per check',
      turns: `By number: what is negligible for one endpoint is not for all of them. At ${formatFigure(perCheckUs)} µs each, a core is used up by ${formatCount(1e6 / perCheckUs)} checks per second.`,
    };
  },
};
