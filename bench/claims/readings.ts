import { formatCount, formatFigure, formatPercent, formatRatio } from '../report/figures.ts';
import { findThroughput, type Results, type Summary, summarize, summarizeLatency } from '../results.ts';
import { median, ratio } from '../statistics.ts';
import {
  BODY_SIZES,
  type BodySize,
  type Case,
  type Layer,
  type LoadKind,
  SIZE_TITLES,
  type SubjectName,
  USUAL_CONNECTIONS,
} from '../vocabulary.ts';
import type { Reading } from './claim.ts';

/** The figures of a subject in a case with the usual connections; undefined if there are none, or they are invalid. */
function figuresOf(
  results: Results,
  subject: SubjectName,
  layer: Layer,
  load: LoadKind,
  size: BodySize = 'small',
): Summary | undefined {
  const measured: Case = { layer, load, size, connections: USUAL_CONNECTIONS };
  const found = findThroughput(results, measured, subject);
  if (found === undefined) return undefined;
  const summary = summarize(found.rounds);
  return summary.problems.length === 0 ? summary : undefined;
}

const MILLISECOND_US = 1_000;
/** Of saturation: up to here the verdict is about. Above, queues are measured, not layers. */
const CALM_SHARE = 0.7;

interface Added {
  readonly share: number;
  readonly size: BodySize;
  readonly l4: Percentiles;
  readonly l7: Percentiles;
}

interface Percentiles {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** What Fourseven adds to going there directly, by size and load. */
function addedLatencies({ latency }: Results): Added[] {
  const at = (subject: SubjectName, layer: Layer, size: BodySize, share: number): Percentiles | undefined => {
    const found = latency.find(
      (one) => one.subject === subject && one.layer === layer && one.size === size && one.share === share,
    );
    return found && summarizeLatency(found.rounds);
  };
  const places = latency.filter(({ subject }) => subject === 'direct');
  return places.flatMap(({ size, share }) => {
    const direct = at('direct', 'l4', size, share);
    const [l4, l7] = [at('fourseven', 'l4', size, share), at('fourseven', 'l7', size, share)];
    if (direct === undefined || l4 === undefined || l7 === undefined) return [];
    const less = (one: Percentiles): Percentiles => ({
      p50Us: one.p50Us - direct.p50Us,
      p99Us: one.p99Us - direct.p99Us,
    });
    return [{ size, share, l4: less(l4), l7: less(l7) }];
  });
}

const addedLatency: Reading = {
  number: 1,
  claim: 'Layer 4 adds microseconds of latency, Layer 7 adds milliseconds.',
  command:
    'npm run bench -- --only latency --latency-layers l4,l7 --shares 10,50,70,90 --sizes small,16k --subjects direct,fourseven',
  judge(results) {
    const added = addedLatencies(results);
    const calm = added.filter(({ share }) => share <= CALM_SHARE);
    const [first] = calm;
    if (first === undefined) return undefined;
    const l4InUs = calm.every(({ l4 }) => l4.p50Us < MILLISECOND_US);
    const l7InMs = calm.every(({ l7 }) => l7.p50Us >= MILLISECOND_US);
    const l7EverInMs = calm.some(({ l7 }) => l7.p50Us >= MILLISECOND_US || l7.p99Us >= MILLISECOND_US);
    const worst = calm.reduce((a, b) => (b.l7.p99Us > a.l7.p99Us ? b : a));
    return {
      verdict: l4InUs && l7InMs ? 'holds' : l4InUs && l7EverInMs ? 'half-true' : 'false here',
      found: `At ${formatPercent(first.share)} of saturation, ${SIZE_TITLES[first.size]}, Layer 4 adds ${formatCount(first.l4.p50Us)} µs in the median and Layer 7 ${formatCount(first.l7.p50Us)}. At worst (${formatPercent(worst.share)}, ${SIZE_TITLES[worst.size]}) the p99 grows by ${formatFigure(worst.l4.p99Us / 1000)} ms at Layer 4 and by ${formatFigure(worst.l7.p99Us / 1000)} ms at Layer 7.`,
      table: {
        columns: ['body', 'load', 'L4 p50 µs', 'L7 p50 µs', 'L4 p99 µs', 'L7 p99 µs'],
        rows: added.map(({ size, share, l4, l7 }) => [
          SIZE_TITLES[size],
          formatPercent(share),
          ...[l4.p50Us, l7.p50Us, l4.p99Us, l7.p99Us].map(formatCount),
        ]),
      },
      bars: [
        { name: 'L4, p50, least load', value: first.l4.p50Us },
        { name: 'L7, p50, least load', value: first.l7.p50Us },
        { name: 'L4, p99, worst', value: worst.l4.p99Us },
        { name: 'L7, p99, worst', value: worst.l7.p99Us },
      ],
      unit: 'added, µs',
      turns:
        'Near saturation, where either waits for its core; with a proxy that takes a millisecond of processor time for a request; or where Layer 7 does more, as when it buffers whole bodies.',
    };
  },
};

const cheaperLayer: Reading = {
  number: 2,
  claim: 'Layer 4 is cheaper because it does not parse, buffer and open a connection of its own for each request.',
  command:
    'npm run bench -- --only l4,l7,micro --loads kept,fresh,unpooled --sizes small,1k,16k,128k,1m,16m --subjects fourseven',
  judge(results) {
    const rows = (['kept', 'fresh'] as const).flatMap((load) =>
      BODY_SIZES.flatMap((size) => {
        const [l4, l7] = [
          figuresOf(results, 'fourseven', 'l4', load, size),
          figuresOf(results, 'fourseven', 'l7', load, size),
        ];
        return l4 === undefined || l7 === undefined
          ? []
          : [{ load, size, l4: l4.processorUs.median, l7: l7.processorUs.median }];
      }),
    );
    const [first] = rows;
    if (first === undefined) return undefined;
    const cheaper = rows.filter(({ l4, l7 }) => l4 < l7);
    const dearest = rows.filter(({ l4, l7 }) => l7 <= l4);
    const names = dearest.map(
      ({ load, size }) => `${SIZE_TITLES[size]}, ${load === 'kept' ? 'kept' : 'fresh'} connections`,
    );
    const surplus = first.l7 - first.l4;
    const parts = surplusParts(results);
    return {
      verdict: dearest.length === 0 ? 'holds' : cheaper.length === 0 ? 'false here' : 'half-true',
      found: `For a ${SIZE_TITLES[first.size]} on a kept connection Layer 4 takes ${formatFigure(first.l4)} µs and Layer 7 ${formatFigure(first.l7)}, ${formatFigure(surplus)} more${parts}. ${names.length === 0 ? 'Layer 4 was cheaper in every scenario.' : `Layer 7 was no dearer for: ${names.join('; ')}.`}`,
      table: {
        columns: ['body', 'connections', 'L4 µs', 'L7 µs', 'L7 ÷ L4'],
        rows: rows.map(({ load, size, l4, l7 }) => [
          SIZE_TITLES[size],
          load,
          formatFigure(l4),
          formatFigure(l7),
          formatRatio(ratio(l7, l4)),
        ]),
      },
      bars: rows
        .filter(({ size }) => size === 'small' || size === '16k')
        .flatMap(({ load, size, l4, l7 }) => [
          { name: `L4, ${size}, ${load}`, value: l4 },
          { name: `L7, ${size}, ${load}`, value: l7 },
        ]),
      unit: 'µs per request',
      turns:
        'Where a client opens a connection for each request, Layer 7 keeps its own to the endpoint, and Layer 4 has to open a second one each time. The other way round with many requests on each kept connection.',
    };
  },
};

/** What of the surplus of Layer 7 the single units explain, in words; empty if they were not measured. */
function surplusParts({ micro }: Results): string {
  const nsOf = (group: string, name: string, x?: number): number =>
    median(
      micro
        .filter((one) => one.group === group && one.name === name && (x === undefined || one.x === x))
        .flatMap(({ samples }) => samples),
    );
  const parsing = nsOf('head', 'request, small') + nsOf('head', 'response, static file') + nsOf('head', 'path, normal');
  const routing = nsOf('route', 'prefixes', 10);
  const picking = nsOf('policy', 'least-request', 3);
  if (Number.isNaN(parsing + routing + picking)) return '';
  const [parsed, routed, picked] = [parsing, routing, picking].map((ns) => formatFigure(ns / 1000));
  return `, of which reading both heads takes ${parsed}, the route ${routed}, the endpoint ${picked} (single units, measured alone); the rest is header work, events and the pool`;
}

const tlsPlacement: Reading = {
  number: 3,
  claim:
    '"Layer 4 is always faster" is half the truth: to end TLS once at the edge can be cheaper in all than to pass it to every endpoint.',
  command: 'npm run bench -- --only tls,reencrypted,passed,full --loads kept,fresh --sizes small --subjects fourseven',
  judge(results) {
    const machineOf = (layer: Layer, load: LoadKind): number =>
      figuresOf(results, 'fourseven', layer, load)?.machineUs ?? Number.NaN;
    const kept = {
      passed: machineOf('passed', 'kept'),
      ended: machineOf('tls', 'kept'),
      both: machineOf('reencrypted', 'kept'),
    };
    const fresh = {
      passed: machineOf('passed', 'fresh'),
      ended: machineOf('full', 'fresh'),
      both: machineOf('reencrypted', 'fresh'),
    };
    if ([kept, fresh].some(({ passed, ended }) => Number.isNaN(passed + ended))) return undefined;
    const cheaper = [kept, fresh].filter(({ passed, ended }) => ended < passed).length;
    return {
      verdict: cheaper > 0 ? 'holds' : 'false here',
      found: `Load, proxy and endpoint together, on kept connections: ${formatFigure(kept.passed)} µs per request if TLS is passed on, ${formatFigure(kept.ended)} if it ends at the proxy, ${formatFigure(kept.both)} if it is opened and closed again. With a connection and a whole handshake for each request: ${formatFigure(fresh.passed)}, ${formatFigure(fresh.ended)} and ${formatFigure(fresh.both)}.`,
      table: {
        columns: ['machine µs per request', 'passed on', 'ended at the proxy', 'encrypted again'],
        rows: (
          [
            ['kept connections', kept],
            ['a whole handshake each', fresh],
          ] as const
        ).map(([name, { passed, ended, both }]) => [name, ...[passed, ended, both].map(formatFigure)]),
      },
      bars: [
        { name: 'kept, passed on', value: kept.passed },
        { name: 'kept, ended', value: kept.ended },
        { name: 'fresh, passed on', value: fresh.passed },
        { name: 'fresh, ended', value: fresh.ended },
      ],
      unit: 'machine µs per request',
      turns:
        'With the number of requests per connection: passing on costs a connection to the endpoint for each of the client, ending it at the edge two directions of encryption less, and a parser more. The number of endpoints changes neither.',
    };
  },
};

const kernelForwarding: Reading = {
  number: 4,
  claim: 'A Layer 4 balancer forwards packets; one in user space terminates connections all the same.',
  command: 'npm run bench -- --only l4 --loads kept,fresh --sizes small --subjects direct,dnat,fourseven',
  judge(results) {
    const rows = (['kept', 'fresh'] as const).flatMap((load) => {
      const [direct, dnat, ours] = (['direct', 'dnat', 'fourseven'] as const).map((subject) =>
        figuresOf(results, subject, 'l4', load),
      );
      return direct === undefined || dnat === undefined || ours === undefined ? [] : [{ load, direct, dnat, ours }];
    });
    const [first] = rows;
    if (first === undefined) return undefined;
    const terminates = rows.every(({ dnat, ours }) => ours.packets > 1.5 * dnat.packets);
    const dearer = rows.every(
      ({ direct, dnat, ours }) => ours.machineUs - direct.machineUs > 2 * (dnat.machineUs - direct.machineUs),
    );
    const perPacket = (first.ours.machineUs - first.direct.machineUs) / (first.ours.packets - first.direct.packets);
    return {
      verdict: terminates && dearer ? 'holds' : terminates || dearer ? 'half-true' : 'false here',
      found: `The relay makes ${formatFigure(first.ours.packets)} packets of the ${formatFigure(first.direct.packets)} that a request takes without it, the kernel's address translation ${formatFigure(first.dnat.packets)}. To the ${formatFigure(first.direct.machineUs)} µs of the machine per request the translation adds ${formatFigure(first.dnat.machineUs - first.direct.machineUs)}, the relay ${formatFigure(first.ours.machineUs - first.direct.machineUs)}: ${formatFigure(perPacket)} for each packet that it adds.`,
      table: {
        columns: ['', 'connections', 'packets', 'machine µs per request'],
        rows: rows.flatMap(({ load, direct, dnat, ours }) =>
          (
            [
              ['direct', direct],
              ['address translation', dnat],
              ['relay in user space', ours],
            ] as const
          ).map(([name, { packets, machineUs }]) => [name, load, formatFigure(packets), formatFigure(machineUs)]),
        ),
      },
      bars: [
        { name: 'direct', value: first.direct.machineUs },
        { name: 'address translation', value: first.dnat.machineUs },
        { name: 'relay', value: first.ours.machineUs },
      ],
      unit: 'machine µs per request',
      turns:
        'With large bodies the relay moves many segments by one call, and its price per packet falls. On loopback the translation has one leg; a router has two.',
    };
  },
};

/** From how many times the processor time on pooling is called worth it. */
const WORTH_IT = 1.2;

const pooling: Reading = {
  number: 5,
  claim: 'Pooling the connections to the endpoints matters.',
  command: 'npm run bench -- --only l7 --loads kept,unpooled --sizes small --subjects fourseven',
  judge(results) {
    const [kept, without] = (['kept', 'unpooled'] as const).map((load) => figuresOf(results, 'fourseven', 'l7', load));
    if (kept === undefined || without === undefined) return undefined;
    const times = without.processorUs.median / kept.processorUs.median;
    return {
      verdict: times >= WORTH_IT ? 'holds' : times > 1 ? 'half-true' : 'false here',
      found: `Without it a request takes ${formatFigure(without.processorUs.median)} µs of the proxy instead of ${formatFigure(kept.processorUs.median)} (${formatFigure(times)} times), ${formatFigure(without.packets)} packets instead of ${formatFigure(kept.packets)}, and ${formatFigure(without.machineUs)} µs of the machine instead of ${formatFigure(kept.machineUs)}.`,
      table: {
        columns: ['', 'proxy µs', 'machine µs', 'packets', 'requests/s'],
        rows: (
          [
            ['pooled', kept],
            ['a connection for each request', without],
          ] as const
        ).map(([name, one]) => [
          name,
          formatFigure(one.processorUs.median),
          formatFigure(one.machineUs),
          formatFigure(one.packets),
          formatCount(one.requestsPerSecond),
        ]),
      },
      bars: [
        { name: 'pooled', value: kept.processorUs.median },
        { name: 'not pooled', value: without.processorUs.median },
      ],
      unit: 'proxy µs per request',
      turns:
        'With bodies so large that a connection no longer counts, or with requests so rare that the pool is empty when the next one comes. Across a network each new connection costs a round trip as well.',
    };
  },
};

/** From which share on work is called moved. */
const MOVED = 0.25;

const offload: Reading = {
  number: 18,
  claim: 'Ending TLS at the edge moves work from the endpoints to the proxy.',
  command: 'npm run bench -- --only tls,passed,full --loads kept,fresh --sizes small --subjects fourseven',
  judge(results) {
    const pair = (passed: Summary | undefined, ended: Summary | undefined) =>
      passed === undefined || ended === undefined ? [] : [{ passed, ended }];
    const [kept] = pair(
      figuresOf(results, 'fourseven', 'passed', 'kept'),
      figuresOf(results, 'fourseven', 'tls', 'kept'),
    );
    const [fresh] = pair(
      figuresOf(results, 'fourseven', 'passed', 'fresh'),
      figuresOf(results, 'fourseven', 'full', 'fresh'),
    );
    if (kept === undefined || fresh === undefined) return undefined;
    const savedOf = ({ passed, ended }: typeof kept): number => 1 - ended.originUs / passed.originUs;
    const [saved, savedFresh] = [savedOf(kept), savedOf(fresh)];
    const moved = [saved, savedFresh].filter((share) => share >= MOVED).length;
    return {
      verdict: moved === 2 ? 'holds' : moved === 1 ? 'half-true' : 'false here',
      found: `With TLS ended at the proxy the endpoint takes ${formatFigure(kept.ended.originUs)} µs per request on kept connections instead of ${formatFigure(kept.passed.originUs)} (${formatPercent(saved)} less), and ${formatFigure(fresh.ended.originUs)} instead of ${formatFigure(fresh.passed.originUs)} with a whole handshake for each (${formatPercent(savedFresh)} less). The proxy takes ${formatFigure(kept.ended.processorUs.median)} instead of ${formatFigure(kept.passed.processorUs.median)}, and ${formatFigure(fresh.ended.processorUs.median)} instead of ${formatFigure(fresh.passed.processorUs.median)}.`,
      table: {
        columns: ['µs per request', 'endpoint', 'proxy', 'machine'],
        rows: (
          [
            ['kept, passed on', kept.passed],
            ['kept, ended at the proxy', kept.ended],
            ['a handshake each, passed on', fresh.passed],
            ['a handshake each, ended at the proxy', fresh.ended],
          ] as const
        ).map(([name, one]) => [
          name,
          formatFigure(one.originUs),
          formatFigure(one.processorUs.median),
          formatFigure(one.machineUs),
        ]),
      },
      bars: [
        { name: 'kept, passed on', value: kept.passed.originUs },
        { name: 'kept, ended', value: kept.ended.originUs },
        { name: 'fresh, passed on', value: fresh.passed.originUs },
        { name: 'fresh, ended', value: fresh.ended.originUs },
      ],
      unit: 'endpoint µs per request',
      turns:
        'Where the answer costs the endpoint much more than its TLS does: then what moves is too small a part to notice.',
    };
  },
};

/** Claims that the scenarios decide. */
export const READINGS: readonly Reading[] = [
  addedLatency,
  cheaperLayer,
  tlsPlacement,
  kernelForwarding,
  pooling,
  offload,
];
