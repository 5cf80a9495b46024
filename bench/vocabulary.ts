/** The words that every part of the suite shares: what is measured, and on whom. */

/**
 * `tls`: L7 behind TLS 1.3. `reencrypted`: the same, with TLS to the endpoint as well. `full` and `resumed`: `tls` with a connection for each
 * request, with a whole handshake or with a session of the one before. `passed`: L4, TLS that goes on to the endpoint by the name in its hello.
 * `logged` and `tls-logged`: L7, without and with TLS, and an access log to a file, in the form that each subject has unless another is asked for.
 */
export const LAYERS = ['l7', 'logged', 'l4', 'tls', 'tls-logged', 'reencrypted', 'full', 'resumed', 'passed'] as const;
export type Layer = (typeof LAYERS)[number];
/** Measured unless others are asked for. */
export const USUAL_LAYERS: readonly Layer[] = ['l7', 'l4', 'tls'];

/** The name in the certificate of the benchmark. */
export const BENCH_NAME = 'localhost';

export const BODY_SIZES = ['small', '1k', '4k', '16k', '64k', '128k', '256k', '512k', '1m', '16m'] as const;
export type BodySize = (typeof BODY_SIZES)[number];
/** Measured unless others are asked for. */
export const USUAL_SIZES: readonly BodySize[] = ['small', '16k', '1m'];

/**
 * What clients do. `kept`: one request after the other on a connection that stays. `fresh`: a connection for each request. `pipelined`: several
 * requests at a time on a connection that stays. `unpooled`: as `kept`, but the origin closes its side behind each answer. `upload`: as `kept`, but the request has the body. `messages`: WebSocket messages of this size, each
 * sent back.
 */
export const LOADS = ['kept', 'fresh', 'pipelined', 'unpooled', 'upload', 'messages'] as const;
export type LoadKind = (typeof LOADS)[number];

export const LOAD_TITLES: Readonly<Record<LoadKind, string>> = {
  kept: '',
  fresh: 'a connection for each request',
  pipelined: 'pipelined',
  unpooled: 'no connection to the origin kept',
  upload: 'uploads',
  messages: 'WebSocket messages',
};

/** Requests that a pipelining client has under way on each connection. */
export const PIPELINE_DEPTH = 16;

/** What was measured at once: the place of a figure. */
export interface Case {
  readonly layer: Layer;
  readonly load: LoadKind;
  readonly size: BodySize;
  readonly connections: number;
}

/** Measured unless other counts of connections are asked for. */
export const USUAL_CONNECTIONS = 64;

/** What a layer is usually measured by: its bars are about that. */
export function usualCase(layer: Layer, size: BodySize): Case {
  const load = layer === 'full' || layer === 'resumed' ? 'fresh' : 'kept';
  return { layer, load, size, connections: USUAL_CONNECTIONS };
}

/** In words: `L7, small body, pipelined, 256 connections`. What is usual goes without saying. */
export function titleOf({ layer, load, size, connections }: Case): string {
  const handshakes = layer === 'full' || layer === 'resumed';
  const parts = [LAYER_TITLES[layer], SIZE_TITLES[size], handshakes ? '' : LOAD_TITLES[load]];
  if (connections !== USUAL_CONNECTIONS) parts.push(connections === 1 ? '1 connection' : `${connections} connections`);
  return parts.filter((part) => part !== '').join(', ');
}

/** Whether two cases are the same one. */
export function isSameCase(a: Case, b: Case): boolean {
  return a.layer === b.layer && a.load === b.load && a.size === b.size && a.connections === b.connections;
}

/**
 * `direct`: nothing between, which is what a proxy adds to. `dnat`: nftables of the kernel, which re-writes addresses and sees no connection.
 * `fourseven-logged`: with an access log to a file in every layer, and the admin API, while the rivals have none.
 * `fourseven-plain`: of `passed` alone, the same connections through a listener that looks at nothing.
 */
export const SUBJECT_NAMES = [
  'direct',
  'dnat',
  'fourseven',
  'fourseven-node',
  'fourseven-logged',
  'fourseven-plain',
  'haproxy',
  'nginx',
  'http-proxy',
  'fastify',
] as const;
export type SubjectName = (typeof SUBJECT_NAMES)[number];

/** `latency`: in an open loop. `idle`: memory. `start`: time to the first byte. These are of L7. `micro`: single units of the proxy. `claims`: experiments. */
export const SCENARIOS = [...LAYERS, 'latency', 'idle', 'start', 'micro', 'claims'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const LAYER_TITLES: Readonly<Record<Layer, string>> = {
  l7: 'L7',
  logged: 'L7 with an access log',
  l4: 'L4',
  tls: 'TLS 1.3',
  'tls-logged': 'TLS 1.3 with an access log',
  reencrypted: 'TLS 1.3 on both sides',
  full: 'TLS 1.3, full handshakes',
  resumed: 'TLS 1.3, resumed handshakes',
  passed: 'TLS passed on',
};

/** The loads that make sense for a layer. */
const LOADS_OF: Readonly<Record<Layer, readonly LoadKind[]>> = {
  l7: LOADS,
  logged: ['kept', 'fresh', 'pipelined', 'upload'],
  l4: ['kept', 'fresh', 'pipelined', 'upload', 'messages'],
  // A connection for each request is what the next two are about.
  tls: ['kept', 'pipelined', 'upload'],
  'tls-logged': ['kept', 'pipelined', 'upload'],
  full: ['fresh'],
  resumed: ['fresh'],
  reencrypted: ['kept', 'fresh', 'pipelined', 'upload'],
  passed: ['kept', 'fresh'],
};

/** What is measured of a layer, of all that is asked for. `full` and `resumed` have one load, whatever is asked for. */
export function casesOf(
  layer: Layer,
  loads: readonly LoadKind[],
  sizes: readonly BodySize[],
  connections: readonly number[],
): readonly Case[] {
  const possible = LOADS_OF[layer];
  const chosen = possible.length === 1 ? possible : possible.filter((load) => loads.includes(load));
  return chosen.flatMap((load) => {
    // A relay costs what it does, whoever has the key. The answer that ends a connection is small.
    const smallOnly = layer === 'passed' || load === 'unpooled';
    return sizes
      .filter((size) => size === 'small' || !smallOnly)
      .flatMap((size) => connections.map((count) => ({ layer, load, size, connections: count })));
  });
}

export function isLayer(scenario: Scenario): scenario is Layer {
  return LAYERS.some((layer) => layer === scenario);
}

/** Whether clients speak TLS. */
export function isSecure(layer: Layer): boolean {
  return layer !== 'l7' && layer !== 'logged' && layer !== 'l4';
}

/** Whether all subjects write an access log. */
export function isLogged(layer: Layer): boolean {
  return layer === 'logged' || layer === 'tls-logged';
}

/** Whether requests are looked at. */
export function isHttp(layer: Layer): boolean {
  return layer !== 'l4' && layer !== 'passed';
}
export const SIZE_TITLES: Readonly<Record<BodySize, string>> = {
  small: 'small body',
  '1k': '1 KiB body',
  '4k': '4 KiB body',
  '16k': '16 KiB body',
  '64k': '64 KiB body',
  '128k': '128 KiB body',
  '256k': '256 KiB body',
  '512k': '512 KiB body',
  '1m': '1 MiB body',
  '16m': '16 MiB body',
};
