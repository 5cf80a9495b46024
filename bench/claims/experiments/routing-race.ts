import { setTimeout as delay } from 'node:timers/promises';
import { formatCount, formatFigure } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { failedIn } from '../rig.ts';

const ENDPOINTS = 3;
const RATE = 200;
/** How long the news that an endpoint ends takes to reach the proxy. */
const NEWS_MS = 500;
const WAYS = [
  { name: 'stops at once', waitMs: 0, retry: 'off' },
  { name: 'stops at once, the proxy retries', waitMs: 0, retry: '{ attempts: 2 }' },
  { name: 'waits too short a time', waitMs: NEWS_MS / 2, retry: 'off' },
  { name: 'waits until the news has come', waitMs: NEWS_MS * 2, retry: 'off' },
] as const;

interface Row {
  readonly name: (typeof WAYS)[number]['name'];
  readonly waitMs: number;
  readonly sent: number;
  readonly failed: number;
}

/** An endpoint is told to end, and the proxy is told half a second later. */
export const routingRace: Experiment<readonly Row[]> = {
  number: 17,
  claim:
    'An endpoint that stops as soon as it is told to end races the update of the routes; a few seconds of waiting close the race.',
  async run(rig) {
    const rows: Row[] = [];
    for (const { name, waitMs, retry } of WAYS) {
      const endpoints = await rig.endpoints(ENDPOINTS);
      const cluster = `policy: round-robin, outlier: off, retry: ${retry}`;
      const proxy = await rig.proxy(endpoints.ports, [{ protocol: 'http', cluster }]);
      const place = `/api/clusters/c0/endpoints/127.0.0.1:${endpoints.ports[0]}`;
      const ends = delay(1_000).then(() =>
        Promise.all([
          delay(waitMs).then(() => endpoints.stop(0)),
          delay(NEWS_MS).then(() => proxy.command(`${place}/drain?deadline=5s`)),
        ]),
      );
      const tally = await rig.drive({ port: proxy.ports[0]!, ratePerSecond: RATE, seconds: 3 });
      await ends;
      rows.push({ name, waitMs, sent: tally.sent, failed: failedIn(tally) });
      await Promise.all([proxy.end(), endpoints.end()]);
    }
    return rows;
  },
  judge(rows) {
    const failedOf = (name: Row['name']): number => rows.find((row) => row.name === name)!.failed;
    const races = failedOf('stops at once') > 0;
    const closes = failedOf('waits until the news has come') === 0;
    return {
      verdict: races && closes ? 'holds' : races || closes ? 'half-true' : 'false here',
      found: `With ${formatFigure(NEWS_MS / 1000)} s until the proxy knows: ${rows.map(({ name, failed }) => `${formatCount(failed)} failed if it ${name}`).join('; ')}.`,
      table: {
        columns: ['the endpoint', 'waits, s', 'requests', 'failed'],
        rows: rows.map(({ name, waitMs, sent, failed }) => [
          name,
          formatFigure(waitMs / 1000),
          formatCount(sent),
          formatCount(failed),
        ]),
      },
      bars: rows.map(({ name, waitMs, failed }) => ({
        name: name.includes('retries') ? 'no wait, retries' : `waits ${formatFigure(waitMs / 1000)} s`,
        value: failed,
      })),
      unit: 'requests failed',
      turns:
        'The wait has to be longer than the news takes, wherever it stands on the way. A proxy that retries what was refused closes the race for what may be repeated by itself.',
    };
  },
};
