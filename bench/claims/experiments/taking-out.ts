import { setTimeout as delay } from 'node:timers/promises';
import { formatCount, formatFigure } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { type Endpoints, failedIn, type RunningProxy } from '../rig.ts';

const ENDPOINTS = 4;
const RATE = 200;
/** How long a request takes. */
const LONGEST_MS = 600;
const WAYS = [
  { name: 'at once', deadlineMs: 0 },
  { name: 'with too short a drain', deadlineMs: LONGEST_MS / 3 },
  { name: 'with a drain that is long enough', deadlineMs: LONGEST_MS * 2 },
] as const;

interface Row {
  readonly name: (typeof WAYS)[number]['name'];
  readonly deadlineMs: number;
  readonly sent: number;
  /** Requests that clients lost, in a deploy of all endpoints one after the other. */
  readonly cut: number;
}

async function takeOut(proxy: RunningProxy, endpoints: Endpoints, index: number, deadlineMs: number): Promise<void> {
  const place = `/api/clusters/c0/endpoints/127.0.0.1:${endpoints.ports[index]}`;
  if (deadlineMs > 0) {
    await proxy.command(`${place}/drain?deadline=${deadlineMs}ms`);
    await delay(deadlineMs + 100);
  } else {
    await endpoints.cut(index);
    await proxy.command(`${place}/disable`);
    await delay(200);
  }
  await proxy.command(`${place}/enable`);
}

/** A deploy: one endpoint after the other is taken out, replaced, and comes back. */
export const takingOut: Experiment<readonly Row[]> = {
  number: 16,
  claim:
    'Taking an endpoint out without draining kills the requests on it; with draining none; a drain shorter than the longest request still cuts.',
  async run(rig) {
    const rows: Row[] = [];
    for (const { name, deadlineMs } of WAYS) {
      const endpoints = await rig.endpoints(ENDPOINTS);
      for (const index of endpoints.ports.keys()) await endpoints.set(index, { delayMs: LONGEST_MS });
      const cluster = 'policy: round-robin, retry: off, outlier: off';
      const proxy = await rig.proxy(endpoints.ports, [{ protocol: 'http', cluster }]);
      const deploy = (async () => {
        await delay(1_000);
        for (const index of endpoints.ports.keys()) await takeOut(proxy, endpoints, index, deadlineMs);
      })();
      const seconds = 1.5 + (ENDPOINTS * (deadlineMs + 300)) / 1000;
      const tally = await rig.drive({ port: proxy.ports[0]!, ratePerSecond: RATE, seconds });
      await deploy;
      rows.push({ name, deadlineMs, sent: tally.sent, cut: failedIn(tally) });
      await Promise.all([proxy.end(), endpoints.end()]);
    }
    return rows;
  },
  judge(rows) {
    const [none, short, enough] = rows as readonly [Row, Row, Row];
    const right = [none.cut > 0, short.cut > 0, enough.cut === 0].filter(Boolean).length;
    return {
      verdict: right === 3 ? 'holds' : right === 0 ? 'false here' : 'half-true',
      found: `Requests take ${formatFigure(LONGEST_MS / 1000)} s. In a deploy of ${ENDPOINTS} endpoints, ${rows.map(({ name, cut }) => `${formatCount(cut)} were cut ${name}`).join(', ')}.`,
      table: {
        columns: ['', 'deadline, s', 'requests', 'cut'],
        rows: rows.map(({ name, deadlineMs, sent, cut }) => [
          name,
          formatFigure(deadlineMs / 1000),
          formatCount(sent),
          formatCount(cut),
        ]),
      },
      bars: rows.map(({ cut, deadlineMs }) => ({ name: `drain of ${formatFigure(deadlineMs / 1000)} s`, value: cut })),
      unit: 'requests cut',
      turns:
        'Where requests may be repeated, a retry hides what is cut before the first byte of its answer; for anything else the deadline has to be longer than the longest request.',
    };
  },
};
