/** The words that every part of the suite shares: what is measured, and on whom. */

/**
 * `tls`: L7 behind TLS 1.3, keep-alive. `full` and `resumed`: a connection for each request, with a whole handshake or with a session of the one
 * before. `passed`: L4, TLS that goes on to the endpoint by the name in its hello.
 */
export const LAYERS = ['l7', 'l4', 'tls', 'full', 'resumed', 'passed'] as const;
export type Layer = (typeof LAYERS)[number];
/** Measured unless others are asked for. */
export const USUAL_LAYERS: readonly Layer[] = ['l7', 'l4', 'tls'];

/** The name in the certificate of the benchmark. */
export const BENCH_NAME = 'localhost';

export const BODY_SIZES = ['small', '1k', '16k', '128k', '1m', '16m'] as const;
export type BodySize = (typeof BODY_SIZES)[number];
/** Measured unless others are asked for. */
export const USUAL_SIZES: readonly BodySize[] = ['small', '16k', '1m'];

/** `fourseven-plain`: of `passed` alone, the same connections through a listener that looks at nothing. */
export const SUBJECT_NAMES = [
  'fourseven',
  'fourseven-node',
  'fourseven-plain',
  'haproxy',
  'nginx',
  'http-proxy',
] as const;
export type SubjectName = (typeof SUBJECT_NAMES)[number];

/** `latency`: in an open loop. `idle`: memory. `start`: time to the first byte. These are of L7. */
export const SCENARIOS = [...LAYERS, 'latency', 'idle', 'start'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const LAYER_TITLES: Readonly<Record<Layer, string>> = {
  l7: 'L7',
  l4: 'L4',
  tls: 'TLS 1.3',
  full: 'TLS 1.3, full handshakes',
  resumed: 'TLS 1.3, resumed handshakes',
  passed: 'TLS passed on',
};

/** A handshake costs what it does, whatever follows; and a relay what it does, whoever has the key. */
export function sizesOf(layer: Layer, sizes: readonly BodySize[]): readonly BodySize[] {
  return ['l7', 'l4', 'tls'].includes(layer) ? sizes : sizes.filter((size) => size === 'small');
}

/** Whether clients speak TLS. */
export function isSecure(layer: Layer): boolean {
  return layer !== 'l7' && layer !== 'l4';
}

/** Whether requests are looked at. */
export function isHttp(layer: Layer): boolean {
  return layer !== 'l4' && layer !== 'passed';
}
export const SIZE_TITLES: Readonly<Record<BodySize, string>> = {
  small: 'small body',
  '1k': '1 KiB body',
  '16k': '16 KiB body',
  '128k': '128 KiB body',
  '1m': '1 MiB body',
  '16m': '16 MiB body',
};
