import type { Subject } from './subject.ts';

/** Nothing between: what the load and the origin cost by themselves. */
export function direct(): Subject {
  return {
    name: 'direct',
    layers: ['l4'],
    messages: true,
    configuration: 'bench/subjects/direct.ts',
    probe: async () => ({ available: true, version: '' }),
    prepare: async ({ originPort }) => ({ port: originPort, end: async () => {} }),
  };
}
