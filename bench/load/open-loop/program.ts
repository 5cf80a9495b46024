/** The generator as a process of its own: takes one Order as JSON, prints one Report as JSON. */
import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { poissonArrivals } from './arrivals.ts';
import { OpenLoopGenerator, type Schedule } from './generator.ts';
import type { Order, Report } from './open-loop.ts';

/** For a rate without a limit: more than any proxy answers, all due at once. */
const SATURATING_RATE_PER_SECOND = 200_000;

const order = JSON.parse(process.argv[2] ?? '') as Order;
const generator = new OpenLoopGenerator(`GET ${order.path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
await generator.connect(order.port, order.connections);
const outcome = await generator.run(makeSchedule(order));
generator.close();
const report: Report = {
  answeredPerSecond: outcome.answered / (outcome.elapsedUs / 1_000_000),
  latency: encodeIntoCompressedBase64(outcome.latency),
  lateness: encodeIntoCompressedBase64(outcome.lateness),
  problems: outcome.problems,
};
process.stdout.write(`${JSON.stringify(report)}\n`);

function makeSchedule({ ratePerSecond, warmUpSeconds, seconds, seed }: Order): Schedule {
  const total = warmUpSeconds + seconds;
  const arrivals =
    ratePerSecond === 'saturating'
      ? new Float64Array(total * SATURATING_RATE_PER_SECOND)
      : poissonArrivals(ratePerSecond, total, seed);
  return { arrivals, warmUpUs: warmUpSeconds * 1_000_000, endUs: total * 1_000_000 };
}
