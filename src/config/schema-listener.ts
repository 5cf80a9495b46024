import { z } from 'zod';
import { readListenAddress } from './address-text.ts';
import * as defaults from './defaults.ts';
import { accessLog } from './schema-access-log.ts';
import { connectionsMax, httpClientOptions, listenerProxyProtocol, trustedProxies } from './schema-clients.ts';
import { routeSchema } from './schema-route.ts';
import { httpListenerTls, tcpListenerTls } from './schema-tls.ts';
import { duration, onOff, optionalSize, readText, size, wholeNumber } from './schema-values.ts';

const address = readText(readListenAddress).describe(
  'Where to accept: host:port, [v6]:port or unix:/path. Port 0 lets the kernel choose.',
);
const clusterName = z.string();

const paths = z
  .strictObject({
    encodedSlashes: z
      .enum(['reject', 'keep'])
      .prefault('reject')
      .describe(
        '`%2F` and `%5C`, which some read as a separator and others do not. `reject`: 400. `keep`: as they are.',
      ),
    mergeSlashes: onOff(true, 'Whether `//` is read as `/`, as most servers do.'),
  })
  .prefault({})
  .describe('How paths are brought into normal form before they are matched and forwarded.');

const httpTimeouts = z
  .strictObject({
    head: duration(defaults.HTTP_HEAD_TIMEOUT_MS, 'For the whole head of a request, then 408.'),
    body: duration(defaults.HTTP_BODY_TIMEOUT_MS, 'Between two bytes of a body.'),
    idle: duration(defaults.HTTP_IDLE_TIMEOUT_MS, 'Between two requests of a connection.'),
  })
  .prefault({})
  .describe('How long a downstream connection may keep us waiting.');

const limits = z
  .strictObject({
    head: size(defaults.HEAD_MAX_BYTES, 'The whole head of a request, beyond it 431.'),
    headers: wholeNumber(defaults.HEADERS_MAX_COUNT)
      .prefault(defaults.HEADERS_MAX_COUNT.usual)
      .describe('Header fields of a request, beyond it 431.'),
    line: size(
      defaults.LINE_MAX_BYTES,
      'The request line (beyond it 414) or one header field (431). Never more than `head`.',
    ),
    body: optionalSize(
      defaults.BODY_MAX_BYTES,
      'The body of a request, beyond it 413. Left out: no limit, bodies stream.',
    ),
    bodyRate: size(
      defaults.BODY_RATE_BYTES,
      'Least bytes per second of a body, over each 5 s in which any come; slower is 408. 0: any will do.',
    ),
    connections: connectionsMax,
  })
  .prefault({})
  .describe('How large a request may be, and how many clients there may be.');

export const httpListenerSchema = z.strictObject({
  address,
  protocol: z
    .literal('http')
    .optional()
    .describe('`http` (the default): requests are routed. `tcp`: bytes are passed on.'),
  routes: z
    .array(routeSchema)
    .min(1)
    .optional()
    .describe('Which request goes where. The most specific match wins, not the first.'),
  cluster: clusterName.optional().describe('Instead of `routes`: every request goes to this cluster.'),
  paths,
  timeouts: httpTimeouts,
  limits,
  trustedProxies,
  proxyProtocol: listenerProxyProtocol,
  tls: httpListenerTls,
  accessLog,
  ...httpClientOptions,
});

export const tcpListenerSchema = z.strictObject({
  address,
  protocol: z.literal('tcp').describe('`tcp`: bytes are passed on. `http`: requests are routed.'),
  cluster: clusterName.describe('Name of the cluster that connections are passed on to.'),
  timeouts: z
    .strictObject({ idle: duration(defaults.TCP_IDLE_TIMEOUT_MS, 'Without a byte in either direction.') })
    .prefault({})
    .describe('How long a session may be silent.'),
  limits: z.strictObject({ connections: connectionsMax }).prefault({}).describe('How many clients there may be.'),
  trustedProxies,
  proxyProtocol: listenerProxyProtocol,
  tls: tcpListenerTls,
  accessLog,
});

export const listenerSchema = z.discriminatedUnion('protocol', [httpListenerSchema, tcpListenerSchema]);
