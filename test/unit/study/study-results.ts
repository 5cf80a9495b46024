import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { makeHistogram } from '../../../bench/load/open-loop/open-loop.ts';
import { BODY_BYTES } from '../../../bench/origin/bodies.ts';
import type { LatencyResult, MicroResult, Results, Round, ThroughputResult } from '../../../bench/results.ts';
import type { BodySize, Layer, LoadKind, SubjectName } from '../../../bench/vocabulary.ts';
import { resultsWith } from '../bench/results-with.ts';

const SIZES: readonly BodySize[] = ['small', '1k', '16k', '128k', '1m'];

/** A study that was made up: every section has figures. `l7Factor`: what Layer 7 costs of Layer 4. */
export function studyResults({ l7Factor = 1.3 } = {}): Results {
  const factorOf = (layer: Layer): number => (layer === 'l4' ? 1 : layer === 'l7' ? l7Factor : 2 * l7Factor);
  const priceOf = (subject: SubjectName, layer: Layer, load: LoadKind, size: BodySize): number =>
    (20 + BODY_BYTES[size] / 2_000 + (load === 'fresh' ? 80 : 0) + (layer === 'full' ? 800 : 0)) *
    factorOf(layer) *
    (subject === 'haproxy' ? 1.2 : 1);
  const result = (
    subject: SubjectName,
    layer: Layer,
    load: LoadKind,
    size: BodySize,
    connections = 64,
  ): ThroughputResult => ({
    subject,
    layer,
    load,
    size,
    connections,
    rounds: [0.98, 1, 1.02].map((noise) => roundOf(noise * priceOf(subject, layer, load, size), load, size)),
  });
  const proxies = ['fourseven', 'haproxy'] as const;
  const loads = ['kept', 'fresh', 'messages'] as const;
  const throughput = proxies.flatMap((subject) => [
    ...(['l4', 'l7'] as const).flatMap((layer) => [
      ...loads.flatMap((load) => SIZES.map((size) => result(subject, layer, load, size))),
      result(subject, layer, 'pipelined', 'small'),
      result(subject, layer, 'kept', '4k'),
      result(subject, layer, 'kept', '64k'),
      ...[1, 16, 192, 256, 4096].map((connections) => result(subject, layer, 'kept', 'small', connections)),
    ]),
    ...SIZES.map((size) => result(subject, 'tls', 'kept', size)),
    ...SIZES.map((size) => result(subject, 'full', 'fresh', size)),
  ]);
  const floor = (['direct', 'dnat'] as const).map((subject) => result(subject, 'l4', 'kept', 'small'));
  return resultsWith({
    throughput: [...throughput, ...floor],
    latency: [0.1, 0.7].flatMap((share) => [
      latencyOf('direct', 'l4', share, 100),
      latencyOf('fourseven', 'l4', share, 150),
      latencyOf('fourseven', 'l7', share, 180),
    ]),
    micro: [
      { group: 'route', name: 'prefixes', x: 1, samples: [60, 70] },
      { group: 'route', name: 'prefixes', x: 10, samples: [80, 90] },
      { group: 'policy', name: 'maglev', x: 3, samples: [60, 70] },
      { group: 'policy', name: 'maglev', x: 100, samples: [60, 70] },
      { group: 'door', name: 'a call', x: 1, samples: [130, 140] },
      ...[1_024, 1_048_576].flatMap((x): MicroResult[] => [
        { group: 'relay', name: 'copy', x, samples: [x] },
        { group: 'relay', name: 'splice', x, samples: [2_000 + x / 4] },
      ]),
    ],
    idle: [{ subject: 'fourseven', samples: [500, 520] }],
    start: [{ subject: 'fourseven', samples: [200, 210] }],
    experiments: { 7: { connections: [10, 10], requests: [100, 500] } },
  });
}

function roundOf(processorUs: number, load: LoadKind, size: BodySize): Round {
  const packets = 4 + BODY_BYTES[size] / 16_384 + (load === 'fresh' ? 8 : 0);
  return {
    requests: 1_000,
    seconds: 1,
    userUs: 200 * processorUs,
    systemUs: 800 * processorUs,
    counters: {
      machineUs: 2_500 * processorUs,
      originUs: 300 * processorUs,
      packets: 1_000 * packets,
      packetBytes: 1_000 * BODY_BYTES[size],
      contextSwitches: 10,
    },
    problems: [],
  };
}

function latencyOf(subject: SubjectName, layer: Layer, share: number, us: number): LatencyResult {
  const encoded = (center: number): string => {
    const histogram = makeHistogram();
    for (let index = 0; index < 1_000; index++) histogram.recordValue(Math.round(center * (1 + index / 500)));
    return encodeIntoCompressedBase64(histogram);
  };
  return {
    subject,
    layer,
    size: 'small',
    share,
    rounds: [
      {
        latency: encoded(us),
        lateness: encoded(2),
        stolenMs: 0,
        busy: share,
        ratePerSecond: 20_000 * share,
        saturationPerSecond: 20_000,
        saturationBusy: 0.95,
        problems: [],
      },
    ],
  };
}
