import { z } from 'zod';
import { readEndpointAddress } from './address-text.ts';
import * as defaults from './defaults.ts';
import { boundedLoad, hashOn, stickiness } from './schema-affinity.ts';
import { clusterLimits, outlier, retry } from './schema-failures.ts';
import { healthCheck } from './schema-health.ts';
import { clusterTls } from './schema-tls.ts';
import { duration, onOff, readText, wholeNumber } from './schema-values.ts';

/** How a cluster picks an endpoint. */
export const POLICIES = [
  'round-robin',
  'least-request',
  'least-time',
  'random',
  'source-hash',
  'ring-hash',
  'maglev',
] as const;

/** The text is kept beside what it means: people look for what they wrote. */
function readEndpoint(text: string) {
  const reading = readEndpointAddress(text);
  return 'value' in reading ? { value: { name: text, address: reading.value } } : reading;
}

const address = readText(readEndpoint).describe(
  'host:port, [v6]:port or unix:/path. A host name is resolved, and again from time to time.',
);

const endpoint = z.union([
  address,
  z.strictObject({
    address,
    weight: wholeNumber(defaults.ENDPOINT_WEIGHT)
      .prefault(defaults.ENDPOINT_WEIGHT.usual)
      .describe('Share of this endpoint, relative to the others.'),
    backup: onOff(false, 'Whether it gets work only when no other endpoint may be selected.'),
  }),
]);

export const clusterSchema = z.strictObject({
  policy: z
    .enum(POLICIES)
    .prefault(defaults.POLICY)
    .describe(
      'How an endpoint is picked. `least-request`: the less busy of two random ones. `least-time`: the one that is likely to answer first. ' +
        '`source-hash`: by hash, remapped when endpoints change. `ring-hash`, `maglev`: by hash, hardly remapped.',
    ),
  hashOn,
  boundedLoad,
  stickiness,
  endpoints: z.array(endpoint).min(1).describe('The addresses that answer for this cluster, interchangeable.'),
  timeouts: z
    .strictObject({
      connect: duration(defaults.CONNECT_TIMEOUT_MS, 'For a connection to an endpoint to be established.'),
      idle: duration(
        defaults.POOL_IDLE_TIMEOUT_MS,
        'How long an unused connection to an endpoint is kept for the next request.',
      ),
    })
    .prefault({})
    .describe('How long an endpoint may keep us waiting, and how long we keep its connections.'),
  healthCheck,
  outlier,
  retry,
  limits: clusterLimits,
  slowStart: duration(
    defaults.SLOW_START_MS,
    'How long an endpoint that has come back gets less than its share. `0s`: not at all. The policies that go by a hash ignore it.',
  ),
  tls: clusterTls,
  drain: z
    .strictObject({
      deadline: duration(
        defaults.ENDPOINT_DRAIN_MS,
        'How long work may go on on an endpoint that drains, is disabled, or is no longer in the configuration; what is left then is cut.',
      ),
    })
    .prefault({})
    .describe('How an endpoint is taken out.'),
  proxyProtocol: z
    .enum(['off', 'v1', 'v2'])
    .prefault('off')
    .describe(
      'Begins each connection to an endpoint with the address of the client (PROXY protocol). HTTP connections then serve one request each.',
    ),
});
