import { RESULTS_FORMAT, type Results } from '../../../bench/results.ts';

/** A run that has measured nothing, but for what is said. */
export function resultsWith(more: Partial<Results> = {}): Results {
  return {
    format: RESULTS_FORMAT,
    machine: { processor: 'Test CPU', cores: 2, kernel: 'Linux 6.1', node: '20.17.0' },
    load: 'wrk 4.1.0',
    origin: 'nginx origin',
    pinned: true,
    connections: [64],
    seconds: 4,
    rounds: 5,
    seed: 1,
    idleConnections: 5000,
    versions: { fourseven: '0.1.0', haproxy: '2.6.12' },
    throughput: [],
    latency: [],
    idle: [],
    start: [],
    micro: [],
    experiments: {},
    failures: [],
    ...more,
  };
}
