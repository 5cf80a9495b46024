/** The words that every part of the suite shares: what is measured, and on whom. */

export const LAYERS = ['l7', 'l4'] as const;
export type Layer = (typeof LAYERS)[number];

export const BODY_SIZES = ['small', '16k', '1m'] as const;
export type BodySize = (typeof BODY_SIZES)[number];

export const SUBJECT_NAMES = ['fourseven', 'fourseven-node', 'haproxy', 'nginx', 'http-proxy'] as const;
export type SubjectName = (typeof SUBJECT_NAMES)[number];

export const SCENARIOS = [...LAYERS, 'idle', 'start'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const LAYER_TITLES: Readonly<Record<Layer, string>> = { l7: 'L7', l4: 'L4' };
export const SIZE_TITLES: Readonly<Record<BodySize, string>> = {
  small: 'small body',
  '16k': '16 KiB body',
  '1m': '1 MiB body',
};
