/**
 * Guards hosts that ask for a certificate against requests over connections that were made for another host, which asks for less: the name
 * in TLS and the Host of a request need not be the same (RFC 9110 section 7.4). Only listeners whose hosts differ have this.
 */
import type { ListenerTlsPlan } from '../contract/plan.ts';
import type { ClientAddress } from '../downstream/client-address.ts';
import { ServerNames } from '../downstream/server-names.ts';
import type { RequestHead } from './h1/request-head.ts';

export class HostPolicies {
  readonly #policies: ServerNames<number>;
  readonly #fallback: number;

  constructor({ names, policies, fallback }: ListenerTlsPlan) {
    this.#policies = new ServerNames(names.map(({ name, context }) => [name, policies[context]!]));
    this.#fallback = policies[fallback]!;
  }

  /** Whether a request with this Host may come over the connection of `client`. */
  admits(bytes: Uint8Array, { hostStart, hostEnd }: RequestHead, { secure }: ClientAddress): boolean {
    const host = Buffer.from(bytes.subarray(hostStart, hostEnd)).toString('latin1').toLowerCase();
    const wanted = this.#policies.find(host) ?? this.#fallback;
    return secure !== undefined && secure.policy === wanted;
  }
}

/** Undefined: there is nothing to guard. */
export function hostPoliciesOf(tls: ListenerTlsPlan | undefined): HostPolicies | undefined {
  return tls === undefined || new Set(tls.policies).size < 2 ? undefined : new HostPolicies(tls);
}
