/** Which requests a route takes, and what becomes of them. */
import { z } from 'zod';
import { readCidr } from './cidr-text.ts';
import * as defaults from './defaults.ts';
import * as field from './field-text.ts';
import { readAuthority, readHostName, readHostPattern } from './host-pattern.ts';
import { readAnyPathPattern, readNewPath } from './path-pattern.ts';
import type { Reading } from './reading.ts';
import { duration, joinFault, name, readText, wholeNumber } from './schema-values.ts';

const regex = readText(field.readPattern);

/** Names to what their values must be: a text, `{ regex }` or `{ present: true }`. */
function fieldMatches(
  readName: (text: string) => Reading<string>,
  readValue: (text: string) => Reading<string>,
  description: string,
) {
  const value = z.union([
    readText(readValue),
    z.strictObject({ regex: regex.describe('A pattern that is found anywhere in the value.') }),
    z.strictObject({ present: z.literal(true).describe('Any value will do.') }),
  ]);
  return z.record(readText(readName), value).optional().describe(description);
}

const match = z
  .strictObject({
    hosts: z
      .array(readText(readHostPattern))
      .min(1)
      .optional()
      .describe(
        'Any of these hosts: `a.b`, or `*.a.b` for one or more labels before `.a.b`. Case and port are ignored.',
      ),
    path: readText(readAnyPathPattern)
      .optional()
      .describe('`/a`: exactly this path. `/a/*`: this path and everything below it.'),
    pathRegex: regex.optional().describe('Instead of `path`: a pattern that is found anywhere in the path.'),
    methods: z.array(readText(field.readMethod)).min(1).optional().describe('Any of these methods.'),
    headers: fieldMatches(field.readMatchedHeader, field.readFieldValue, 'All of these header fields.'),
    query: fieldMatches(field.readQueryName, field.readQueryValue, 'All of these parameters, not encoded.'),
    cookies: fieldMatches(field.readCookieName, field.readFieldValue, 'All of these cookies.'),
    sources: z
      .array(readText(readCidr))
      .min(1)
      .optional()
      .describe('The address of the client is in any of these, as in 10.0.0.0/8 or 2001:db8::1.'),
  })
  .prefault({})
  .describe('What a request must have. What is left out matches everything.');

const headerLines = z.record(readText(field.readEditedHeader), readText(field.readFieldValue));

function headerEdits(description: string) {
  return z
    .strictObject({
      set: headerLines.optional().describe('In place of all fields of that name.'),
      add: headerLines.optional().describe('Besides the fields of that name.'),
      remove: z.array(readText(field.readEditedHeader)).optional().describe('Names of fields.'),
    })
    .optional()
    .describe(description);
}

const rewrite = z
  .strictObject({
    path: readText(readNewPath)
      .optional()
      .describe('In place of the prefix that `match.path` names, or of the whole path if that is exact.'),
    host: readText(readAuthority).optional().describe('In place of Host: a name, with a port where one is wanted.'),
  })
  .optional()
  .describe('What endpoints see in place of what the client sent.');

const REDIRECT_STATUSES = [301, 302, 303, 307, 308] as const;

const redirect = z
  .strictObject({
    status: z
      .literal(REDIRECT_STATUSES)
      .prefault(302)
      .describe('301 and 308 are kept by browsers; 307 and 308 keep the method.'),
    scheme: z.enum(['http', 'https']).optional().describe('Left out: that of the request.'),
    host: readText(readHostName).optional().describe('Left out: that of the request.'),
    port: wholeNumber(defaults.PORT)
      .optional()
      .describe('Left out: that of the request; with another `scheme`, its usual one.'),
    path: readText(readNewPath)
      .optional()
      .describe('In place of the prefix that `match.path` names, or of the whole path if that is exact.'),
  })
  .optional()
  .describe('Sends the client elsewhere. What is left out stays as in the request; the query always does.');

/** Those never have a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

const respond = z
  .strictObject({
    status: wholeNumber(defaults.RESPOND_STATUS).prefault(defaults.RESPOND_STATUS.usual).describe('200 to 599.'),
    body: z
      .string()
      .max(defaults.RESPOND_BODY_MAX_LENGTH)
      .optional()
      .describe('The text of the answer, sent as UTF-8.'),
    contentType: readText(field.readFieldValue).prefault(defaults.RESPOND_CONTENT_TYPE).describe('What the text is.'),
  })
  .check((context) => {
    const { status, body } = context.value;
    if (!BODILESS.has(status) || body === undefined || body === '') return;
    const message = joinFault({
      cause: `an answer with ${status} has no body`,
      remedy: 'leave out `body`, or write another status',
    });
    context.issues.push({ code: 'custom', path: ['body'], message, input: body });
  })
  .optional()
  .describe('Answers at once, without an endpoint.');

export const routeSchema = z.strictObject({
  name: name()
    .optional()
    .describe('Shown in metrics and logs, unique within the listener. Left out: its place, as in `routes[0]`.'),
  match,
  cluster: z.string().optional().describe('Name of the cluster that answers.'),
  clusters: z
    .record(z.string(), wholeNumber(defaults.CLUSTER_WEIGHT))
    .optional()
    .describe('Instead of `cluster`: names of clusters, each with its share of the requests.'),
  redirect,
  respond,
  rewrite,
  requestHeaders: headerEdits('Changes header fields on their way to the endpoint: `remove`, then `set`, then `add`.'),
  responseHeaders: headerEdits('Changes header fields on their way to the client: `remove`, then `set`, then `add`.'),
  timeout: duration(defaults.ROUTE_TIMEOUT_MS, 'Until the head of the response has come, then 504.'),
});
