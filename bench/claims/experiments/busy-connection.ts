import { formatCount, formatPercent } from '../../report/figures.ts';
import type { Experiment } from '../claim.ts';
import { imbalance } from '../rig.ts';

const ENDPOINTS = 4;
const CLIENTS = 40;
/** Requests of the busy client for each one of another. */
const BUSY = 50;
const RATE = 400;
/** From which share beyond the mean on a distribution is called uneven. */
const UNEVEN = 0.5;

interface Data {
  readonly connections: readonly number[];
  readonly requests: readonly number[];
}

/** At Layer 4, with one kept connection for each client: the balancer counts connections, and one of them does the work of fifty. */
export const busyConnection: Experiment<Data> = {
  number: 7,
  claim: 'Counting connections is not counting load: one connection may carry fifty times the requests of another.',
  async run(rig) {
    const endpoints = await rig.endpoints(ENDPOINTS);
    const proxy = await rig.proxy(endpoints.ports, [{ protocol: 'tcp', cluster: 'policy: least-request' }]);
    const [port = 0] = proxy.ports;
    const addressOf = (index: number): string => `127.0.1.${1 + index}`;
    // Each client opens its connection first, so that all are there when the load begins.
    let connections: readonly number[] = [];
    const from = (index: number): string => {
      if (index < CLIENTS) return addressOf(index);
      const turn = index % (BUSY + CLIENTS - 1);
      return addressOf(turn < BUSY ? 0 : turn - BUSY + 1);
    };
    const seconds = rig.isQuick ? 2 : 5;
    const counted = setTimeout(async () => {
      connections = (await endpoints.counts()).map((counts) => counts.connections);
    }, seconds * 800);
    await rig.drive({ port, ratePerSecond: RATE, seconds, from, connectionsEach: 1 });
    clearTimeout(counted);
    const requests = (await endpoints.counts()).map((counts) => counts.requests);
    await Promise.all([proxy.end(), endpoints.end()]);
    return { connections, requests };
  },
  judge({ connections, requests }) {
    const [ofConnections, ofRequests] = [imbalance(connections), imbalance(requests)];
    const even = ofConnections < UNEVEN;
    return {
      verdict: even && ofRequests >= UNEVEN ? 'holds' : even ? 'false here' : 'half-true',
      found: `The endpoint with most connections has ${formatPercent(ofConnections)} more than the mean; the one with most requests ${formatPercent(ofRequests)} more.`,
      table: {
        columns: ['endpoint', 'connections', 'requests'],
        rows: connections.map((count, index) => [String(index), formatCount(count), formatCount(requests[index]!)]),
      },
      bars: [
        { name: 'connections', value: 100 * ofConnections },
        { name: 'requests', value: 100 * ofRequests },
      ],
      unit: 'fullest beyond the mean, %',
      turns: 'At Layer 7, where requests are counted, not connections; or where connections are many and alike.',
    };
  },
};
