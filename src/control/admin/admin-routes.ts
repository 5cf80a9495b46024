/** The calls of the admin API: what each asks of the proxy, and how it answers. */

import type { IncomingHttpHeaders } from 'node:http';
import { ENDPOINT_DRAIN_MS } from '../../config/defaults.ts';
import { readDurationMs } from '../../config/duration.ts';
import { ProxyError } from '../../core/errors.ts';
import {
  chooseMetricsFormat,
  formatMetrics,
  METRICS_CONTENT_TYPES,
  type MetricFamily,
  type MetricsFormat,
} from '../../observe/prometheus-text.ts';
import type { EndpointAction } from '../endpoint-operator.ts';
import type { ReloadOutcome } from '../reloader.ts';
import { type Answer, failure, json, plain } from './admin-answer.ts';
import type { LiveView } from './live-view.ts';
import { OPENAPI } from './openapi.ts';
import type { EndpointStatus, Status } from './status.ts';

/** A request that somebody asks about. */
export interface AdminQuestion {
  readonly method?: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly source?: string;
  readonly listener?: string;
}

/** What the admin API tells and does. */
export interface AdminSource {
  readonly phase: () => 'starting' | 'ready' | 'draining';
  readonly status: () => Promise<Status>;
  readonly metrics: () => Promise<readonly MetricFamily[]>;
  /** Undefined: there is nothing to read anew. */
  readonly reload?: (() => Promise<ReloadOutcome>) | undefined;
  /** The endpoints that were meant, with their new state; none if there is no such cluster or endpoint. */
  readonly endpoint: (
    action: EndpointAction,
    cluster: string,
    address: string,
    deadlineMs: number | undefined,
  ) => readonly EndpointStatus[];
  /** What happens now. Undefined: nobody looks. */
  readonly live?: LiveView | undefined;
  /** Undefined: whoever reaches the address may ask. */
  readonly token?: string | undefined;
  /** Undefined: there can be no successor. Otherwise its pid, or a ProxyError that says why there is none. */
  readonly upgrade?: (() => Promise<number>) | undefined;
  /** Answers, or says what is wrong with the question. */
  readonly explain?:
    | ((question: AdminQuestion) => Promise<{ readonly answer: unknown } | { readonly fault: string }>)
    | undefined;
  /** Present only where tests may break things; false if there is no such shard. */
  readonly testCall?: ((shard: number, call: 'crash' | 'hang') => boolean) | undefined;
}

export interface AdminRoute {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
  readonly answer: (
    match: RegExpExecArray,
    query: URLSearchParams,
    headers: IncomingHttpHeaders,
  ) => Answer | Promise<Answer>;
}

export function adminRoutes(source: AdminSource): readonly AdminRoute[] {
  const scrape = scraper(source.metrics);
  const routes: AdminRoute[] = [
    { method: 'GET', path: /^\/livez$/, answer: () => plain(200, 'ok\n') },
    {
      method: 'GET',
      path: /^\/readyz$/,
      answer: () => plain(source.phase() === 'ready' ? 200 : 503, `${source.phase()}\n`),
    },
    { method: 'GET', path: /^\/api\/openapi\.json$/, answer: () => json(200, OPENAPI) },
    { method: 'GET', path: /^\/api\/status$/, answer: async () => json(200, await source.status()) },
    {
      method: 'GET',
      path: /^\/metrics$/,
      answer: (_match, _query, { accept }) => scrape(chooseMetricsFormat(accept)),
    },
    {
      method: 'POST',
      path: /^\/api\/clusters\/([^/]+)\/endpoints\/(.+)\/(drain|disable|enable)$/,
      answer: (match, query) => actOnEndpoint(source, match, query),
    },
    { method: 'POST', path: /^\/api\/reload$/, answer: () => reload(source) },
    { method: 'POST', path: /^\/api\/upgrade$/, answer: () => upgrade(source) },
  ];
  const { explain, testCall } = source;
  if (explain !== undefined) {
    routes.push({ method: 'GET', path: /^\/api\/explain$/, answer: (_, query) => explainQuestion(explain, query) });
  }
  if (testCall !== undefined) routes.push(testRoute(testCall));
  return routes;
}

/** However many scrape at once, what they get is written once. */
function scraper(metrics: AdminSource['metrics']): (format: MetricsFormat) => Promise<Answer> {
  const running = new Map<MetricsFormat, Promise<Answer>>();
  return (format) => {
    const known = running.get(format);
    if (known !== undefined) return known;
    const answer = metrics()
      .then((families) => {
        return { status: 200, body: formatMetrics(families, format), contentType: METRICS_CONTENT_TYPES[format] };
      })
      .finally(() => running.delete(format));
    running.set(format, answer);
    return answer;
  };
}

/** The address may be written as it is (`unix:/path`, too) or percent-encoded. */
function actOnEndpoint(source: AdminSource, match: RegExpExecArray, query: URLSearchParams): Answer {
  const [cluster, address] = [decode(match[1]!), decode(match[2]!)];
  if (cluster === undefined || address === undefined)
    return failure(400, 'the path is not percent-encoded as it should be');
  const action = match[3] as EndpointAction;
  const text = query.get('deadline');
  const deadline = text === null ? undefined : readDurationMs(text, ENDPOINT_DRAIN_MS);
  if (deadline !== undefined && !('value' in deadline)) return failure(400, `${deadline.cause}; ${deadline.remedy}`);
  if (deadline !== undefined && action === 'enable') return failure(400, 'to enable an endpoint takes no deadline');
  const [first, ...others] = source.endpoint(action, cluster, address, deadline?.value);
  if (first === undefined) return failure(404, `there is no endpoint ${address} in a cluster ${cluster}`);
  // A host name may have more than one address.
  return json(200, { cluster, ...first, ...(others.length === 0 ? {} : { endpoints: [first, ...others] }) });
}

async function reload(source: AdminSource): Promise<Answer> {
  if (source.reload === undefined) return failure(409, 'this proxy was not started from a file');
  const outcome = await source.reload();
  return json(outcome.rejected === null ? 200 : 422, outcome);
}

async function upgrade(source: AdminSource): Promise<Answer> {
  if (source.upgrade === undefined) return failure(409, 'this proxy was not started by `fourseven run`');
  try {
    return json(200, { pid: await source.upgrade() });
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    return failure(error.code === 'draining' ? 409 : 500, error.message);
  }
}

async function explainQuestion(explain: NonNullable<AdminSource['explain']>, query: URLSearchParams): Promise<Answer> {
  const url = query.get('url');
  if (url === null)
    return failure(400, 'say which: ?url=http://host/path, and method, header, source and listener where they matter');
  const [method, from, listener] = ['method', 'source', 'listener'].map((name) => query.get(name) ?? undefined);
  const result = await explain({
    url,
    headers: query.getAll('header').map(splitHeader),
    ...(method !== undefined && { method }),
    ...(from !== undefined && { source: from }),
    ...(listener !== undefined && { listener }),
  });
  return 'fault' in result ? failure(400, result.fault) : json(200, result.answer);
}

function splitHeader(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
}

function testRoute(testCall: NonNullable<AdminSource['testCall']>): AdminRoute {
  return {
    method: 'POST',
    path: /^\/api\/test\/shards\/(\d{1,3})\/(crash|hang)$/,
    answer: ([, shard, call]) =>
      testCall(Number(shard), call === 'crash' ? 'crash' : 'hang')
        ? json(202, { shard: Number(shard), call })
        : failure(404, 'there is no such shard, or it is being replaced'),
  };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
