/** Traces as a collector gets them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { closedPort, get } from './http-rig.ts';
import { Origin } from './origin-server.ts';
import { ENGINES, ProxyProcess } from './proxy-process.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number };
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
}

/** Takes OTLP over HTTP in its JSON form (opentelemetry-proto, `ExportTraceServiceRequest`). */
class Collector {
  readonly spans: Span[] = [];
  readonly services = new Set<unknown>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString());
        for (const { resource, scopeSpans } of resourceSpans) {
          this.services.add(
            resource.attributes.find(({ key }: { key: string }) => key === 'service.name').value.stringValue,
          );
          for (const scope of scopeSpans) this.spans.push(...scope.spans);
        }
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
  }

  static async start(): Promise<Collector> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Collector(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function attribute(span: Span, key: string): unknown {
  const value = span.attributes.find((candidate) => candidate.key === key)?.value;
  return value === undefined ? undefined : Object.values(value)[0];
}

describe.each(ENGINES)('traces, %s engine', (engine) => {
  let origin: Origin;
  let collector: Collector;
  let proxy: ProxyProcess;

  beforeEach(async () => {
    origin = await Origin.start();
    collector = await Collector.start();
  });
  afterEach(async () => {
    await proxy.stop();
    collector.close();
    await origin.close();
  });

  async function start(tracing: object | undefined, trustedProxies: string[] = []): Promise<HttpClient> {
    const dead = await closedPort();
    proxy = await ProxyProcess.start({
      engine,
      shards: 1,
      ...(tracing && { tracing }),
      listeners: {
        web: {
          address: '127.0.0.1:0',
          trustedProxies,
          routes: [
            { name: 'dead', match: { path: '/dead' }, cluster: 'dead' },
            { name: 'site', cluster: 'origin' },
          ],
        },
      },
      clusters: { origin: { endpoints: [`127.0.0.1:${origin.port}`] }, dead: { endpoints: [`127.0.0.1:${dead}`] } },
    });
    return new HttpClient(proxy.port('web'));
  }

  const sentTo = (index: number, name: string) =>
    origin.requests[index]!.headers.filter(([key]) => key.toLowerCase() === name);

  test('have a span for the request, and one for the endpoint that knows its number', async () => {
    const client = await start({ endpoint: collector.url, sample: 1, serviceName: 'edge' });
    await client.send(get('/a?b=1')).answer();
    await until(8_000, 'two spans', () => collector.spans.length === 2);
    const [server, upstream] = collector.spans.toSorted((a, b) => a.kind - b.kind);
    expect([server!.name, server!.kind, upstream!.kind]).toEqual(['GET site', 2, 3]);
    expect(upstream!.parentSpanId).toBe(server!.spanId);
    expect(sentTo(0, 'traceparent').map(([, value]) => value)).toEqual([
      `00-${server!.traceId}-${upstream!.spanId}-01`,
    ]);
    expect(attribute(server!, 'url.path')).toBe('/a');
    expect(attribute(server!, 'url.query')).toBe('b=1');
    expect(attribute(server!, 'http.response.status_code')).toBe(200);
    expect(attribute(upstream!, 'server.address')).toBe(`127.0.0.1:${origin.port}`);
    expect(BigInt(server!.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(server!.startTimeUnixNano));
    expect([...collector.services]).toEqual(['edge']);
    client.close();
  });

  test('go on where a trusted proxy has begun them, with their state', async () => {
    const client = await start({ endpoint: collector.url, sample: 0 }, ['127.0.0.0/8']);
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await client.send(get('/', `traceparent: ${parent}`, 'tracestate: a=1', 'tracestate: b=2')).answer();
    await until(8_000, 'two spans', () => collector.spans.length === 2);
    for (const span of collector.spans) expect(span.traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(collector.spans.some(({ parentSpanId }) => parentSpanId === 'b7ad6b7169203331')).toBe(true);
    expect(sentTo(0, 'tracestate').map(([, value]) => value)).toEqual(['a=1', 'b=2']);
    client.close();
  });

  test('of anybody else are new ones', async () => {
    const client = await start({ endpoint: collector.url, sample: 0 });
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await client.send(get('/', `traceparent: ${parent}`, 'tracestate: a=1')).answer();
    const [[, value]] = sentTo(0, 'traceparent') as [[string, string]];
    expect(value).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(value).not.toContain('0af7651916cd43dd8448eb211c80319c');
    expect(sentTo(0, 'tracestate')).toEqual([]);
    client.close();
  });

  if (engine === ENGINES[0]) {
    test('tell why a request failed', async () => {
      const client = await start({ endpoint: collector.url, sample: 1 });
      await client.send(get('/dead')).answer();
      await until(8_000, 'two spans', () => collector.spans.length === 2);
      for (const span of collector.spans) {
        expect(span.status.code).toBe(2);
        expect(attribute(span, 'error.type')).toBe('connect_refused');
      }
      client.close();
    });

    test('pass like any other field where nothing is traced', async () => {
      const client = await start(undefined);
      await client.send(get('/', 'traceparent: whatever', 'tracestate: a=1')).answer();
      expect(sentTo(0, 'traceparent').map(([, value]) => value)).toEqual(['whatever']);
      expect(sentTo(0, 'tracestate').map(([, value]) => value)).toEqual(['a=1']);
      client.close();
    });

    test('are lost when there is no collector, and requests are not', async () => {
      const client = await start({ endpoint: `http://127.0.0.1:${await closedPort()}/v1/traces`, sample: 1 });
      for (let count = 0; count < 50; count++) expect((await client.send(get('/')).answer()).status).toBe(200);
      await until(15_000, 'a word in the log', () => proxy.stderr.includes('does not take spans'));
      expect((await client.send(get('/')).answer()).status).toBe(200);
      client.close();
    });
  }
});
