/**
 * Keeps a client with its endpoint by a cookie. Its value is a hash of the names of cluster and endpoint: it tells nothing about addresses, needs no memory
 * here, and is the same in every shard, after a restart, and in every proxy with the same cluster. Made once per plan; lines are copied to
 * the scratch when they are sent. Hot path: no allocation, no strings.
 *
 * Who forges one only chooses an endpoint, as any client can by asking often enough.
 */
import { createHash } from 'node:crypto';
import type { ClusterPlan, StickinessConfig } from '../contract/plan.ts';
import { asciiBytes } from '../core/bytes.ts';
import type { CommandWriter } from '../engine/command-writer.ts';
import type { Scratch } from '../engine/scratch.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { RequestHead } from './h1/request-head.ts';
import { HashOfValue } from './hash-key.ts';
import { writeBytes } from './header-edits.ts';
import { CookieCondition } from './routing/cookie-condition.ts';

/** 64 bits: two endpoints of a cluster have the same about never. */
const VALUE_LENGTH = 16;

export class Stickiness {
  readonly #cluster: Cluster;
  readonly #value = new HashOfValue();
  readonly #cookie: CookieCondition;
  readonly #byHash = new Map<number, Endpoint>();
  readonly #lines = new Map<Endpoint, Uint8Array>();
  /** What `write` takes of the scratch. */
  readonly scratchBytes: number;

  /** `isSecure`: whether clients speak TLS. */
  constructor(cluster: Cluster, plan: StickinessConfig, isSecure: boolean) {
    this.#cluster = cluster;
    this.#cookie = new CookieCondition({ name: plan.cookie, present: true }, this.#value);
    for (const endpoint of cluster.endpoints) {
      const value = cookieValue(cluster.plan, endpoint.key);
      const bytes = asciiBytes(value);
      this.#value.accepts(this.#value.read(this.#value.start, bytes, 0, bytes.length));
      this.#byHash.set(this.#value.hash, endpoint);
      this.#lines.set(endpoint, asciiBytes(setCookieLine(plan, value, isSecure)));
    }
    this.scratchBytes = Math.max(0, ...[...this.#lines.values()].map(({ length }) => length));
  }

  /** The endpoint that the client's cookie names, as long as it may stay there: while it drains, too. */
  endpointOf(bytes: Uint8Array, head: RequestHead): Endpoint | undefined {
    if (!this.#cookie.matches(bytes, head)) return undefined;
    const endpoint = this.#byHash.get(this.#value.hash);
    return endpoint !== undefined && this.#cluster.mayStay(endpoint) ? endpoint : undefined;
  }

  /** Adds the line that binds the client to the endpoint to the open SEND. The caller has made sure of the room. */
  write(commands: CommandWriter, scratch: Scratch, endpoint: Endpoint): void {
    const line = this.#lines.get(endpoint);
    if (line !== undefined) writeBytes(commands, scratch, line);
  }
}

export function cookieValue({ name }: Pick<ClusterPlan, 'name'>, endpointKey: string): string {
  return createHash('sha256').update(`${name} ${endpointKey}`).digest('hex').slice(0, VALUE_LENGTH);
}

/** RFC 6265 section 4.1. `Secure` where the client speaks TLS. */
function setCookieLine({ cookie, ttlMs }: StickinessConfig, value: string, isSecure: boolean): string {
  const age = ttlMs === undefined ? '' : `; Max-Age=${Math.round(ttlMs / 1000)}`;
  return `Set-Cookie: ${cookie}=${value}; Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}${age}\r\n`;
}
