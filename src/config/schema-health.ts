/** Active checks of the endpoints of a cluster. */
import { z } from 'zod';
import * as defaults from './defaults.ts';
import { readMethod } from './field-text.ts';
import { readAuthority } from './host-pattern.ts';
import { describeValue, quote } from './quote.ts';
import type { Reading } from './reading.ts';
import { orOff } from './schema-failures.ts';
import { duration, joinFault, readText, wholeNumber } from './schema-values.ts';

const STATUS_MIN = 200;
const STATUS_MAX = 599;
const STATUS_REMEDY = `write a status from ${STATUS_MIN} to ${STATUS_MAX}, or a range as in "200-299"`;

export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

function readStatusRange(text: string): Reading<StatusRange> {
  const [, from, to] = /^(\d{3})-(\d{3})$/.exec(text) ?? [];
  const range = { from: Number(from), to: Number(to) };
  if (STATUS_MIN <= range.from && range.from <= range.to && range.to <= STATUS_MAX) return { value: range };
  return { cause: `${quote(text)} is no range of statuses`, remedy: STATUS_REMEDY };
}

/** What is asked for: a path, and a query where one is wanted. Sent as it is. */
function readCheckPath(text: string): Reading<string> {
  if (/^\/[!-~]*$/.test(text) && !text.includes('#') && text.length <= defaults.PATH_PATTERN_MAX_LENGTH)
    return { value: text };
  return {
    cause: `${quote(text)} is nothing to ask for`,
    remedy: 'write / and what follows it, encoded as in a URL, without a #',
  };
}

const status = z
  .number({
    error: ({ input }) =>
      joinFault({ cause: `${describeValue(input)} is neither a status nor a range`, remedy: STATUS_REMEDY }),
  })
  .int()
  .min(STATUS_MIN)
  .max(STATUS_MAX)
  .transform((code): StatusRange => ({ from: code, to: code }));

function threshold(usual: number, description: string) {
  return wholeNumber(defaults.HEALTH_THRESHOLD)
    .prefault(usual)
    .describe(`${description} The very first answer decides alone. 1 to ${defaults.HEALTH_THRESHOLD.max}.`);
}

export const healthCheck = orOff(
  z.strictObject({
    type: z
      .enum(['http', 'tcp', 'grpc'])
      .prefault('http')
      .describe('`http`: a request. `tcp`: a connection, no more. `grpc`: `grpc.health.v1.Health/Check`.'),
    interval: duration(defaults.HEALTH_INTERVAL_MS, 'From the start of a check to that of the next.'),
    timeout: duration(defaults.HEALTH_TIMEOUT_MS, 'For the whole of a check.'),
    healthyAfter: threshold(defaults.HEALTHY_AFTER, 'Checks in a row that pass until an endpoint is healthy again.'),
    unhealthyAfter: threshold(defaults.UNHEALTHY_AFTER, 'Checks in a row that fail until an endpoint is unhealthy.'),
    port: wholeNumber(defaults.PORT).optional().describe('Another port than that of the endpoint.'),
    path: readText(readCheckPath).optional().describe('`http`: what is asked for. Left out: /.'),
    method: readText(readMethod).optional().describe('`http`: Left out: GET.'),
    host: readText(readAuthority).optional().describe('`http`: the Host. Left out: the address of the endpoint.'),
    expect: z
      .array(z.union([status, readText(readStatusRange)]))
      .min(1)
      .optional()
      .describe('`http`: the statuses that pass, each a number or a range as in "200-299". Left out: 200-299.'),
    body: z
      .string()
      .min(1)
      .max(defaults.HEALTH_BODY_MAX_LENGTH)
      .optional()
      .describe('`http`: a text that the first 64 KiB of the answer must contain.'),
    service: z
      .string()
      .min(1)
      .max(defaults.HEALTH_SERVICE_MAX_LENGTH)
      .optional()
      .describe('`grpc`: the name of the service. Left out: the server as a whole.'),
  }),
)
  .prefault('off')
  .describe('Asks each endpoint from time to time whether it is well; who is not gets no new work.');
