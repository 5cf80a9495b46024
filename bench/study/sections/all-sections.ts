import { describeRun } from '../../report/report.ts';
import type { Results } from '../../results.ts';
import { command, type Report, text } from '../report/document.ts';
import { clientSection } from './by-client.ts';
import { connectionSection } from './by-connections.ts';
import { sizeSection } from './by-size.ts';
import { claimSection } from './claims.ts';
import { floorSection } from './floor.ts';
import { latencySection } from './latency.ts';
import { leftOutSection } from './left-out.ts';
import { memorySection } from './memory.ts';
import { priceSection } from './prices.ts';
import { unitSection } from './units.ts';

/** What the report says, made of the figures of a run: other figures, another text. */
export function buildReport(results: Results, commandLine: string): Report {
  const sections = [
    sizeSection(results),
    clientSection(results),
    connectionSection(results),
    priceSection(results),
    latencySection(results),
    floorSection(results),
    unitSection(results),
    memorySection(results),
    claimSection(results),
    leftOutSection(results),
  ].filter((section) => section !== undefined);
  return {
    title: 'What a layer costs: Layer 4 against Layer 7, measured',
    introduction: [
      text(
        'A proxy at Layer 4 relays bytes of connections; one at Layer 7 reads the requests in them. This report says what either takes of a machine: per connection, packet, byte, request and handshake. Every figure was measured on the machine named below, by the command below it, and every sentence with a figure follows from them.',
      ),
      text(describeRun(results).replaceAll('\n', ' ')),
      text(
        'CPU per request is the user and system time of the proxy alone, unless it says "machine": then load, endpoint and kernel are in it. Compare ratios; the microseconds themselves belong to this machine.',
      ),
      command(commandLine),
    ],
    sections,
  };
}
