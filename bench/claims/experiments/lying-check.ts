import { setTimeout as delay } from 'node:timers/promises';
import { formatCount, formatFigure } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';

const RATE = 200;
const FAILS_AFTER_MS = 1_000;
const CHECK = 'interval: 500ms, timeout: 500ms, unhealthyAfter: 2';

const KINDS = [
  { name: 'tcp check', cluster: `healthCheck: { type: tcp, ${CHECK} }, outlier: off` },
  { name: 'http check', cluster: `healthCheck: { type: http, path: /check, ${CHECK} }, outlier: off` },
  { name: 'ejection alone', cluster: 'outlier: { consecutiveFailures: 5, eject: 30s }' },
  {
    name: 'http check and ejection',
    cluster: `healthCheck: { type: http, path: /check, ${CHECK} }, outlier: { consecutiveFailures: 5, eject: 30s }`,
  },
] as const;

interface Row {
  readonly name: (typeof KINDS)[number]['name'];
  /** Clients that got a 503. */
  readonly errors: number;
  /** Until the last one of them, in milliseconds from the failure; Infinity where they went on to the end: null. */
  readonly outAfterMs: number | null;
}

/** One of two endpoints answers everything with 503 from some moment on, its port open. */
export const lyingCheck: Experiment<readonly Row[]> = {
  number: 13,
  claim: 'A TCP check stays green while the application answers nothing but 503.',
  async run(rig) {
    const seconds = rig.isQuick ? 3 : 6;
    const rows: Row[] = [];
    for (const { name, cluster } of KINDS) {
      const endpoints = await rig.endpoints(2);
      const proxy = await rig.proxy(endpoints.ports, [
        { protocol: 'http', cluster: `${cluster}, policy: round-robin` },
      ]);
      const fails = delay(FAILS_AFTER_MS).then(() => endpoints.set(0, { status: 503 }));
      const tally = await rig.drive({ port: proxy.ports[0]!, ratePerSecond: RATE, seconds });
      await fails;
      const outAfterMs = tally.lastFailureMs - FAILS_AFTER_MS;
      const wentOn = tally.lastFailureMs > seconds * 1000 - 200;
      rows.push({ name, errors: tally.statuses[503] ?? 0, outAfterMs: wentOn ? null : outAfterMs });
      await Promise.all([proxy.end(), endpoints.end()]);
    }
    return rows;
  },
  judge(rows) {
    const tcp = rows.find(({ name }) => name === 'tcp check')!;
    const others = rows.filter(({ name }) => name !== 'tcp check');
    const othersNotice = others.every(({ outAfterMs }) => outAfterMs !== null);
    const describe = ({ name, errors, outAfterMs }: Row): string =>
      `${name}: ${formatCount(errors)} errors, ${outAfterMs === null ? 'to the end' : `out after ${formatFigure(outAfterMs / 1000)} s`}`;
    return {
      verdict: tcp.outAfterMs === null && othersNotice ? 'holds' : tcp.outAfterMs === null ? 'half-true' : 'false here',
      found: `At ${RATE} requests per second, half of them to the endpoint that fails: ${rows.map(describe).join('; ')}.`,
      table: {
        columns: ['', 'errors', 'out after, s'],
        rows: rows.map(({ name, errors, outAfterMs }) => [
          name,
          formatCount(errors),
          outAfterMs === null ? 'never' : formatFigure(outAfterMs / 1000),
        ]),
      },
      bars: rows.map(({ name, errors }) => ({ name, value: errors })),
      unit: 'errors',
      turns: 'Where the process ends or the machine is gone: then its port is closed, and a TCP check sees it.',
    };
  },
};
