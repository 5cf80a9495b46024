import type { ErrorCode } from '../../core/errors.ts';

/** Why a request head was refused: `parseRequestHead` returns one of these, negated. */
export const Refusal = {
  MALFORMED: 1,
  HOST: 2,
  FRAMING: 3,
  TRANSFER_CODING: 4,
  VERSION: 5,
  METHOD: 6,
  TARGET_TOO_LONG: 7,
  HEAD_TOO_LARGE: 8,
  EXPECTATION: 9,
} as const;

/** The error code of each Refusal. The first place is not used. */
export const REQUEST_REFUSALS: readonly ErrorCode[] = [
  'malformed_request',
  'malformed_request',
  'host_refused',
  'framing_refused',
  'transfer_coding_unknown',
  'version_refused',
  'method_refused',
  'target_too_long',
  'head_too_large',
  'expectation_refused',
];
