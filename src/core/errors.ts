/**
 * Every way in which traffic or the control plane can fail, in one table. A code says whose fault it was, whether trying
 * another endpoint is allowed, what the client is told, and whether the downstream connection survives.
 *
 * Data plane: codes are passed as values, nothing is thrown. Control plane: a ProxyError may be thrown.
 */

/** Whose fault it was. */
export type ErrorSource = 'downstream' | 'upstream' | 'internal';

/**
 * When another attempt is allowed: `never`; `nothing-sent`, no byte of the request has left; `if-idempotent`, bytes have
 * left, but the method may be repeated (RFC 9110 section 9.2.2) and no byte of a response has come.
 */
export type RetryClass = 'never' | 'nothing-sent' | 'if-idempotent';

export interface ErrorTraits {
  readonly source: ErrorSource;
  readonly retry: RetryClass;
  /** HTTP status told to the client; 0 where no answer is owed (the connection is just closed). */
  readonly status: number;
  /** Whether the downstream connection is closed after the answer. */
  readonly closes: boolean;
}

const downstream = (status: number, closes = true): ErrorTraits => ({
  source: 'downstream',
  retry: 'never',
  status,
  closes,
});
const upstream = (status: number, retry: RetryClass): ErrorTraits => ({
  source: 'upstream',
  retry,
  status,
  closes: false,
});
const internal = (status: number, closes = false): ErrorTraits => ({
  source: 'internal',
  retry: 'never',
  status,
  closes,
});

export const ERRORS = {
  // What a client sent.
  malformed_request: downstream(400),
  malformed_body: downstream(400),
  path_refused: downstream(400),
  host_refused: downstream(400),
  framing_refused: downstream(400),
  transfer_coding_unknown: downstream(501),
  version_refused: downstream(505),
  method_refused: downstream(405),
  no_route: downstream(404, false),
  /** The host asks for another certificate of the client than the connection was made with. */
  misdirected: downstream(421),
  /** OPTIONS and TRACE that may be forwarded no further: we are who answers. */
  options_ends_here: downstream(200, false),
  trace_ends_here: downstream(405, false),
  request_timeout: downstream(408),
  body_too_large: downstream(413),
  target_too_long: downstream(414),
  expectation_refused: downstream(417),
  head_too_large: downstream(431),
  client_gone: downstream(0),
  client_idle: downstream(0),

  // What an endpoint did.
  connect_refused: upstream(502, 'nothing-sent'),
  connect_timeout: upstream(504, 'nothing-sent'),
  upstream_reset: upstream(502, 'if-idempotent'),
  upstream_closed: upstream(502, 'if-idempotent'),
  malformed_response: upstream(502, 'never'),
  response_timeout: upstream(504, 'never'),
  /** It stopped to read a request that the client goes on sending. */
  upload_stalled: upstream(504, 'never'),
  response_cut: upstream(0, 'never'),

  // What we are or lack.
  no_endpoint: internal(503),
  no_descriptors: internal(503),
  /** A limit of the cluster, and nobody made room in time. */
  no_room: internal(503),
  /** By the operator or a reload, and its time is over. */
  endpoint_taken_out: internal(503),
  draining: internal(503, true),
  config_invalid: internal(0),
  bind_failed: internal(0),
  name_unresolved: internal(0),
  engine_unavailable: internal(0),
  /** There is no successor: everything is as before. */
  upgrade_failed: internal(0),
} as const satisfies Record<string, ErrorTraits>;

export type ErrorCode = keyof typeof ERRORS;

export interface ProxyErrorOptions {
  readonly cause?: unknown;
}

/** The one error class. Data-plane code passes bare `ErrorCode`s instead of constructing it. */
export class ProxyError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options: ProxyErrorOptions = {}) {
    super(message, options);
    this.name = 'ProxyError';
    this.code = code;
  }

  get traits(): ErrorTraits {
    return ERRORS[this.code];
  }
}
