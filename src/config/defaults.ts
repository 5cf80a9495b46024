/**
 * Every default and every range of the configuration, with the reason. The schema, its JSON Schema and the reference in
 * docs/configuration.md take their numbers from here.
 */

/** A number that an operator may set: what holds if it is not set, and the smallest and largest that is accepted. */
export interface Range {
  readonly usual: number;
  readonly min: number;
  readonly max: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

// The proxy.

/** Threads. A shard costs some MiB, and more shards than cores only add switches; 256 is more cores than most machines have. */
export const SHARDS_COUNT = { min: 1, max: 256 } as const;
/** Loopback: whoever reaches it may ask, unless there is a token. */
export const ADMIN_ADDRESS = '127.0.0.1:9947';
/** Time for a load balancer in front of us to see that readyz has turned; its usual probe interval is 1 s and more. */
export const DRAIN_GRACE_MS: Range = { usual: 1 * SECOND_MS, min: 0, max: 10 * MINUTE_MS };
/** As the deregistration delay of AWS target groups: 300 s, at most an hour. */
export const DRAIN_DEADLINE_MS: Range = { usual: 300 * SECOND_MS, min: 0, max: 1 * HOUR_MS };

/** Let's Encrypt. */
export const ACME_DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory';
/** As most clients, for the 90 days that certificates usually have. */
export const ACME_RENEW_BEFORE_MS: Range = { usual: 720 * HOUR_MS, min: 1 * HOUR_MS, max: 8_760 * HOUR_MS };

// A listener.

/** For the whole head of a request, not per byte, so that a client that drips bytes gains nothing (slowloris). */
export const HTTP_HEAD_TIMEOUT_MS: Range = { usual: 10 * SECOND_MS, min: 1, max: 10 * MINUTE_MS };
/** Between two bytes of a body. A whole body may take as long as it needs. */
export const HTTP_BODY_TIMEOUT_MS: Range = { usual: 30 * SECOND_MS, min: 1, max: 1 * HOUR_MS };
/** Between two requests of a connection, as AWS ALB. An idle connection owns no buffer, so this may be long. */
export const HTTP_IDLE_TIMEOUT_MS: Range = { usual: 60 * SECOND_MS, min: 1, max: 24 * HOUR_MS };
/** As Envoy. Databases keep connections quiet for long; a week at most keeps the number in 31 bits. */
export const TCP_IDLE_TIMEOUT_MS: Range = { usual: 1 * HOUR_MS, min: 1, max: 168 * HOUR_MS };

/** As AWS ALB. At most what the engine holds for one connection. */
export const HEAD_MAX_BYTES: Range = { usual: 64 * KIB, min: 1 * KIB, max: 256 * KIB };
/** As Envoy. */
export const HEADERS_MAX_COUNT: Range = { usual: 100, min: 1, max: 1_000 };
/** One line of a head: request line or header field. Never more than the head. */
export const LINE_MAX_BYTES: Range = { usual: 16 * KIB, min: 128, max: 256 * KIB };
/** No default: bodies stream, and memory does not grow with them. */
export const BODY_MAX_BYTES = { min: 0, max: 1024 * GIB } as const;

/** Per second. Slower than any modem: whoever drips bytes to hold a connection is cut. */
export const BODY_RATE_BYTES: Range = { usual: 1 * KIB, min: 0, max: 1 * GIB };

/** No default: descriptors are budgeted anyway. More than a machine has ports for one address would be no limit. */
export const CONNECTIONS_MAX_COUNT = { min: 1, max: 1_000_000 } as const;

/** A year, as browsers want it for their own lists. */
export const HSTS_MAX_AGE_MS: Range = { usual: 8_760 * HOUR_MS, min: 0, max: 2 * 8_760 * HOUR_MS };

// A route.

/** Until the head of the response, retries included; as nginx and AWS ALB. Envoy's 15 s surprises people. */
export const ROUTE_TIMEOUT_MS: Range = { usual: 60 * SECOND_MS, min: 1, max: 24 * HOUR_MS };

/** Shares are relative to one another; up to a million, as the Gateway API has them. 0: none for now. */
export const CLUSTER_WEIGHT = { min: 0, max: 1_000_000 } as const;
export const PORT = { min: 1, max: 65_535 } as const;
/** Final statuses: an interim one would leave the client waiting. */
export const RESPOND_STATUS: Range = { usual: 200, min: 200, max: 599 };
/** Enough for a page that says sorry: whatever is larger belongs on an endpoint. */
export const RESPOND_BODY_MAX_LENGTH = 65_536;
export const RESPOND_CONTENT_TYPE = 'text/plain; charset=utf-8';

// A cluster.

/** Two random choices and the one with less in flight: close to ideal, and no endpoint is ever mobbed (Mitzenmacher 2001). */
export const POLICY = 'least-request';
/** As Envoy. */
export const CONNECT_TIMEOUT_MS: Range = { usual: 5 * SECOND_MS, min: 1, max: 10 * MINUTE_MS };
/** Node's HTTP servers close idle connections after 5 s: to be first avoids a request sent into a closing connection. */
export const POOL_IDLE_TIMEOUT_MS: Range = { usual: 4 * SECOND_MS, min: 1, max: 1 * HOUR_MS };
/** Relative share of an endpoint. */
export const ENDPOINT_WEIGHT: Range = { usual: 1, min: 1, max: 1_000 };

/** The paper suggests 1.25. Closer to 1 the hash means little, and beyond 10 the bound does. */
export const BOUNDED_LOAD = { min: 1.01, max: 10 } as const;
export const STICKINESS_COOKIE = 'f7';
export const STICKINESS_TTL_MS = { min: 1 * SECOND_MS, max: 8_760 * HOUR_MS } as const;

/** As Envoy. Up to a thousand: beyond it nothing is ever ejected. */
export const OUTLIER_FAILURES: Range = { usual: 5, min: 1, max: 1_000 };
/** As Envoy: 30 s for the first, n times as long for the nth in a row, at most EJECTION_MAX_MS. */
export const OUTLIER_EJECT_MS: Range = { usual: 30 * SECOND_MS, min: 1 * SECOND_MS, max: 5 * MINUTE_MS };
/** As Envoy. One endpoint may always be ejected. */
export const OUTLIER_EJECTED_PERCENT: Range = { usual: 10, min: 0, max: 100 };
/** Besides the first attempt; an exchange remembers eight endpoints. */
export const RETRY_ATTEMPTS: Range = { usual: 2, min: 0, max: 7 };
/** As Envoy. Ten retries per second are always allowed. */
export const RETRY_BUDGET_PERCENT: Range = { usual: 20, min: 0, max: 100 };
/** Larger bodies stream, and lose their retry. At most what the engine retains for one connection. */
export const RETRY_BODY_BYTES: Range = { usual: 64 * KIB, min: 0, max: 256 * KIB };
/** Connections or requests: no default, a limit that nobody chose surprises. */
export const CLUSTER_LIMIT_COUNT = { min: 1, max: 1_000_000 } as const;
/** As Envoy. */
export const PENDING_MAX_COUNT: Range = { usual: 1_024, min: 0, max: 1_000_000 };
/** Who waits longer is better told so. */
export const PENDING_TIMEOUT_MS: Range = { usual: 1 * SECOND_MS, min: 1, max: 10 * MINUTE_MS };
/** Off: whoever needs it knows for how long. */
export const SLOW_START_MS: Range = { usual: 0, min: 0, max: 1 * HOUR_MS };

/** As HAProxy and Envoy, roughly: soon enough, and no load. */
export const HEALTH_INTERVAL_MS: Range = { usual: 5 * SECOND_MS, min: 50, max: 1 * HOUR_MS };
export const HEALTH_TIMEOUT_MS: Range = { usual: 2 * SECOND_MS, min: 10, max: 5 * MINUTE_MS };
/** As HAProxy. */
export const HEALTHY_AFTER = 2;
export const UNHEALTHY_AFTER = 3;
export const HEALTH_THRESHOLD = { min: 1, max: 100 } as const;
export const HEALTH_EXPECT = [{ from: 200, to: 299 }] as const;
export const HEALTH_BODY_MAX_LENGTH = 1_024;
export const HEALTH_SERVICE_MAX_LENGTH = 256;
/** As the deregistration delay of AWS target groups. */
export const ENDPOINT_DRAIN_MS: Range = { usual: 300 * SECOND_MS, min: 0, max: 1 * HOUR_MS };

/** Nobody guesses sixteen characters over a network. */
export const ADMIN_TOKEN_LENGTH = { min: 16, max: 256 } as const;

/** As OTLP has it. */
export const TRACING_ENDPOINT = 'http://127.0.0.1:4318/v1/traces';
export const TRACING_SAMPLE = 0.01;

export const ACCESS_LOG_SLOWER_MS = { min: 0, max: 1 * HOUR_MS } as const;

// Limits of the configuration itself: whoever writes it is trusted, but a mistake should not eat the machine.

/** 10,000 routes are about 1 MiB. */
export const CONFIG_FILE_MAX_BYTES = 4 * MIB;
/** A certificate with its chain, or a bundle of authorities (those of Mozilla have 230 KiB). */
export const TLS_FILE_MAX_BYTES = 1 * MIB;
/** The schema nests 7 deep. The YAML composer recurses, so that depth is also a matter of stack. */
export const CONFIG_NESTING_MAX = 64;
/** Aliases that one document may expand to, counted with those inside of anchors. Stops alias bombs. */
export const CONFIG_ALIASES_MAX_COUNT = 1_000;
/** A module that computes its configuration may wait for a network, but not forever. */
export const CONFIG_MODULE_TIMEOUT_MS = 30 * SECOND_MS;
/** After the first few, syntax errors are mostly echoes of the first. */
export const SYNTAX_PROBLEMS_MAX_COUNT = 10;
/** Each listener costs a socket per shard. */
export const LISTENERS_MAX_COUNT = 256;
/** Endpoints over all clusters: the slots of the shared board. */
export const ENDPOINTS_MAX_COUNT = 16_384;
/** Names appear in URLs, metrics and log lines. */
export const NAME_MAX_LENGTH = 64;
/** A pattern longer than any request line in practice is a mistake. */
export const PATH_PATTERN_MAX_LENGTH = 4_096;
