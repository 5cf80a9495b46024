import { isIP } from 'node:net';
import { checkServerIdentity, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { SecureContextPlan } from '../../contract/plan.ts';
import { systemAuthorities } from '../../engine/system-authorities.ts';

export type Place = { readonly path: string } | { readonly host: string; readonly port: number };

/** Connections of checks to the endpoints of a cluster that speaks TLS: they believe whom its traffic believes. */
export class SecureOpener {
  readonly #plan: SecureContextPlan;
  readonly #context: SecureContext;

  constructor(plan: SecureContextPlan) {
    const { pairs, authorities, trustsSystem, minVersion, verify } = plan;
    const ca = trustsSystem ? systemAuthorities() : authorities;
    this.#plan = plan;
    this.#context = createSecureContext({
      cert: pairs.map(({ certificate }) => certificate),
      key: pairs.map(({ key }) => key),
      minVersion: `TLSv${minVersion}`,
      ...(verify && { ca }),
    });
  }

  open(where: Place, serverName: string, protocols: readonly string[]): TLSSocket {
    return connect({
      ...where,
      secureContext: this.#context,
      rejectUnauthorized: this.#plan.verify,
      // An address is no server name (RFC 6066 section 3), but a certificate may be for one.
      servername: isIP(serverName) === 0 ? serverName : '',
      checkServerIdentity: (_, certificate) =>
        serverName === '' ? undefined : checkServerIdentity(serverName, certificate),
      ...(protocols.length > 0 && { ALPNProtocols: [...protocols] }),
    });
  }
}
