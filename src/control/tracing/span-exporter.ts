/**
 * Hands traces to a collector (OTLP over HTTP), by the SDK of OpenTelemetry, which is loaded where tracing is configured and nowhere else. Its processor
 * has a queue with an end: when a collector is slow or gone, spans are dropped, and nothing waits.
 */
import type { Attributes, HrTime } from '@opentelemetry/api';
import type { BatchSpanProcessor, ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { TracingConfig } from '../../config/config.ts';
import { ProxyError } from '../../core/errors.ts';
import type { SpanRecord } from '../../observe/spans.ts';
import { atMost } from '../at-most.ts';
import type { EventLog } from '../event-log.ts';
import { PRODUCT_VERSION } from '../product-version.ts';

const PACKAGES = [
  '@opentelemetry/api',
  '@opentelemetry/sdk-trace-base',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
];
const EXPORT_TIMEOUT_MS = 5_000;
const EXPORT_EVERY_MS = 1_000;
const COMPLAINT_INTERVAL_MS = 60_000;
const CLOSE_TIMEOUT_MS = 1_000;

/** Numbers of the OpenTelemetry API. */
const KIND_SERVER = 1;
const KIND_CLIENT = 2;
const STATUS_UNSET = 0;
const STATUS_ERROR = 2;
const SAMPLED = 1;

type Resource = ReadableSpan['resource'];

export class SpanExporter {
  readonly #processor: BatchSpanProcessor;
  readonly #resource: Resource;

  private constructor(processor: BatchSpanProcessor, resource: Resource) {
    this.#processor = processor;
    this.#resource = resource;
  }

  /** Throws ProxyError `config_invalid` if the packages of OpenTelemetry are not installed. */
  static async open({ endpoint, serviceName }: TracingConfig, log: EventLog): Promise<SpanExporter> {
    const { BatchSpanProcessor, OTLPTraceExporter, resourceFromAttributes } = await loadSdk();
    const inner = new OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_TIMEOUT_MS });
    let nextComplaintMs = 0;
    const exporter = {
      export: (spans: ReadableSpan[], done: (result: { code: number; error?: Error }) => void) =>
        inner.export(spans, (result) => {
          if (result.code !== 0 && Date.now() >= nextComplaintMs) {
            nextComplaintMs = Date.now() + COMPLAINT_INTERVAL_MS;
            log.warn(`tracing: ${endpoint} does not take spans: ${result.error?.message ?? 'it gives no reason'}`);
          }
          done(result);
        }),
      shutdown: () => inner.shutdown(),
      forceFlush: () => inner.forceFlush(),
    };
    const processor = new BatchSpanProcessor(exporter, {
      scheduledDelayMillis: EXPORT_EVERY_MS,
      exportTimeoutMillis: EXPORT_TIMEOUT_MS,
    });
    const resource = resourceFromAttributes({ 'service.name': serviceName, 'service.version': PRODUCT_VERSION });
    return new SpanExporter(processor, resource);
  }

  /** Never waits. */
  add(records: readonly SpanRecord[]): void {
    for (const record of records) for (const span of spansOf(record, this.#resource)) this.#processor.onEnd(span);
  }

  /** Hands on what is left, as far as that is quick. */
  async close(): Promise<void> {
    await atMost(
      CLOSE_TIMEOUT_MS,
      this.#processor.shutdown().catch(() => {}),
    );
  }
}

async function loadSdk() {
  try {
    const [sdk, exporter, resources] = await Promise.all([
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
    return {
      BatchSpanProcessor: sdk.BatchSpanProcessor,
      OTLPTraceExporter: exporter.OTLPTraceExporter,
      resourceFromAttributes: resources.resourceFromAttributes,
    };
  } catch (error) {
    const remedy = `npm install ${PACKAGES.join(' ')}`;
    throw new ProxyError('config_invalid', `tracing: the SDK of OpenTelemetry cannot be loaded; ${remedy}`, {
      cause: error,
    });
  }
}

/** What came in, and below it what went to the endpoint that was asked last. Named and described by the semantic conventions for HTTP. */
export function spansOf(record: SpanRecord, resource: Resource): readonly ReadableSpan[] {
  const startMs = record.endMs - record.durationMs;
  const [path = '', query] = record.target.split('?', 2);
  const common = {
    'http.request.method': record.method,
    'http.response.status_code': record.status === 0 ? undefined : record.status,
    'error.type': record.reason === 'ok' ? undefined : record.reason,
  };
  const server = makeSpan(resource, {
    name: `${record.method} ${record.route}`.trim(),
    kind: KIND_SERVER,
    traceId: record.traceId,
    spanId: record.spanId,
    parentSpanId: record.parentSpanId,
    startMs,
    endMs: record.endMs,
    isError: record.reason !== 'ok' || record.status >= 500,
    attributes: {
      ...common,
      'url.scheme': record.isSecure ? 'https' : 'http',
      'url.path': path,
      'url.query': query,
      'server.address': record.host,
      'client.address': record.client,
      'client.port': record.port,
      'user_agent.original': record.userAgent === '' ? undefined : record.userAgent,
      'http.request.body.size': record.requestBytes,
      'http.response.body.size': record.responseBytes,
      'fourseven.listener': record.listener,
      'fourseven.route': record.route,
      'fourseven.cluster': record.cluster,
    },
  });
  if (record.attemptMs < 0) return [server];
  const upstream = makeSpan(resource, {
    name: `${record.method} ${record.cluster}`,
    kind: KIND_CLIENT,
    traceId: record.traceId,
    spanId: record.upstreamSpanId,
    parentSpanId: record.spanId,
    startMs: startMs + record.attemptMs,
    endMs: record.endMs,
    isError: record.reason !== 'ok' || record.status >= 500,
    attributes: {
      ...common,
      'server.address': record.endpoint,
      'http.request.resend_count': record.attempts > 1 ? record.attempts - 1 : undefined,
      'fourseven.cluster': record.cluster,
    },
  });
  return [server, upstream];
}

interface SpanParts {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
}

function makeSpan(resource: Resource, parts: SpanParts): ReadableSpan {
  const { name, kind, traceId, spanId, parentSpanId, startMs, endMs, isError } = parts;
  const attributes: Attributes = {};
  for (const [key, value] of Object.entries(parts.attributes))
    if (value !== undefined && value !== '') attributes[key] = value;
  return {
    name,
    kind,
    spanContext: () => ({ traceId, spanId, traceFlags: SAMPLED }),
    ...(parentSpanId !== undefined && {
      parentSpanContext: { traceId, spanId: parentSpanId, traceFlags: SAMPLED, isRemote: kind === KIND_SERVER },
    }),
    startTime: hrTime(startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - startMs),
    status: { code: isError ? STATUS_ERROR : STATUS_UNSET },
    attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: 'fourseven', version: PRODUCT_VERSION },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
