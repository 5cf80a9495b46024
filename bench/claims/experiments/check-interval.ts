import { setTimeout as delay } from 'node:timers/promises';
import { formatCount, formatFigure } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { failedIn } from '../rig.ts';

const RATE = 200;
const FAILS_AFTER_MS = 500;
const UNHEALTHY_AFTER = 2;
const KINDS = [
  { name: 'check alone', more: 'outlier: off, retry: off' },
  { name: 'and ejection', more: 'outlier: { consecutiveFailures: 5 }, retry: off' },
  { name: 'and retries', more: 'outlier: { consecutiveFailures: 5 }, retry: { attempts: 2 }' },
] as const;

interface Row {
  readonly intervalMs: number;
  /** Errors that clients saw, by kind. */
  readonly errors: Readonly<Record<(typeof KINDS)[number]['name'], number>>;
}

/** One of two endpoints ends: its port is closed. What clients see until the check has found out, by its interval. */
export const checkInterval: Experiment<readonly Row[]> = {
  number: 14,
  claim: 'A slow check interval is a window in which errors reach users.',
  async run(rig) {
    const rows: Row[] = [];
    for (const intervalMs of rig.isQuick ? [250, 1_000] : [1_000, 3_000, 10_000]) {
      const errors = { 'check alone': 0, 'and ejection': 0, 'and retries': 0 };
      for (const { name, more } of KINDS) {
        const endpoints = await rig.endpoints(2);
        const check = `{ type: http, path: /check, interval: ${intervalMs}ms, timeout: 1s, unhealthyAfter: ${UNHEALTHY_AFTER} }`;
        const cluster = `policy: round-robin, healthCheck: ${check}, ${more}`;
        const proxy = await rig.proxy(endpoints.ports, [{ protocol: 'http', cluster }]);
        const fails = delay(FAILS_AFTER_MS).then(() => endpoints.stop(0));
        // The first check that fails comes an interval later at most; in doubt it is asked twice as often.
        const seconds = (FAILS_AFTER_MS + 1.6 * intervalMs) / 1000 + 0.5;
        const tally = await rig.drive({ port: proxy.ports[0]!, ratePerSecond: RATE, seconds });
        await fails;
        errors[name] = failedIn(tally);
        await Promise.all([proxy.end(), endpoints.end()]);
      }
      rows.push({ intervalMs, errors });
    }
    return rows;
  },
  judge(rows) {
    const [first, last] = [rows[0]!, rows.at(-1)!];
    const grows = last.errors['check alone'] > 2 * first.errors['check alone'];
    const closed = rows.every(({ errors }) => errors['and retries'] <= errors['and ejection']);
    const remains = last.errors['and retries'];
    return {
      verdict: !grows ? 'false here' : closed && remains <= 5 ? 'half-true' : 'holds',
      found: `With the check alone, ${formatCount(first.errors['check alone'])} errors at an interval of ${formatFigure(first.intervalMs / 1000)} s and ${formatCount(last.errors['check alone'])} at ${formatFigure(last.intervalMs / 1000)} s: the window is as long as the interval. Ejection by live traffic closed it after ${formatCount(last.errors['and ejection'])} errors, and with retries clients saw ${formatCount(remains)}, whatever the interval.`,
      table: {
        columns: ['interval, s', ...KINDS.map(({ name }) => name)],
        rows: rows.map(({ intervalMs, errors }) => [
          formatFigure(intervalMs / 1000),
          ...KINDS.map(({ name }) => formatCount(errors[name])),
        ]),
      },
      bars: rows.flatMap(({ intervalMs, errors }) =>
        (['check alone', 'and retries'] as const).map((name) => ({
          name: `${formatFigure(intervalMs / 1000)} s, ${name}`,
          value: errors[name],
        })),
      ),
      unit: 'errors',
      turns:
        'Where the check is all there is, the claim holds. Where the answers of live traffic are judged and what may be repeated is, the interval decides nothing but how soon an endpoint comes back.',
    };
  },
};
