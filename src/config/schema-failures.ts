/** What a cluster does about endpoints that fail, and how much it lets through. */
import { z } from 'zod';
import * as defaults from './defaults.ts';
import { duration, size, wholeNumber } from './schema-values.ts';

/** A mapping of options, or `off`. */
export function orOff<T extends z.ZodType>(options: T) {
  return z.union([z.literal('off'), z.literal(false), options]);
}

function count(range: defaults.Range, description: string) {
  return wholeNumber(range).prefault(range.usual).describe(`${description} ${range.min} to ${range.max}.`);
}

export const outlier = orOff(
  z.strictObject({
    consecutiveFailures: count(
      defaults.OUTLIER_FAILURES,
      'Refusals, resets, timeouts and, over HTTP, answers from 500 on, in a row and over all shards.',
    ),
    eject: duration(defaults.OUTLIER_EJECT_MS, 'The first ejection; the nth in a row is n times as long, 5m at most.'),
    maxEjectedPercent: count(
      defaults.OUTLIER_EJECTED_PERCENT,
      'Share of the endpoints that may be ejected at a time; one always may.',
    ),
  }),
)
  .prefault({})
  .describe('Ejects endpoints that fail several times in a row. `off`: live traffic is not judged.');

export const retry = orOff(
  z.strictObject({
    attempts: count(defaults.RETRY_ATTEMPTS, 'Besides the first, never on the same endpoint.'),
    budgetPercent: count(
      defaults.RETRY_BUDGET_PERCENT,
      'Retries, as a share of the requests of the last ten seconds over all shards; ten per second are always allowed.',
    ),
    bodyUpTo: size(defaults.RETRY_BODY_BYTES, 'Bodies of requests that are kept for another attempt.'),
  }),
)
  .prefault({})
  .describe(
    'Tries another endpoint: always if nothing was sent; if the method may be repeated and no byte of an answer has come, after a reset as well. ' +
      '`off`: what fails is answered.',
  );

export const clusterLimits = z
  .strictObject({
    connections: wholeNumber(defaults.CLUSTER_LIMIT_COUNT)
      .optional()
      .describe('Connections to all endpoints together, idle ones included. Left out: no limit.'),
    requests: wholeNumber(defaults.CLUSTER_LIMIT_COUNT)
      .optional()
      .describe('Requests, and sessions of tcp listeners, in flight. Left out: no limit.'),
    pending: count(defaults.PENDING_MAX_COUNT, 'Requests and sessions that may wait for room; beyond it 503.'),
    pendingTimeout: duration(defaults.PENDING_TIMEOUT_MS, 'How long each may wait; then 503.'),
  })
  .prefault({})
  .describe('How much goes to the endpoints of this cluster at a time, exact over all shards.');
