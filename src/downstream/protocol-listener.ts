import type { EndpointRef } from '../contract/messages.ts';
import type { AcceptHandler } from '../engine/connection-handler.ts';
import type { ClientAddress } from './client-address.ts';

/** What takes connections: fresh from the engine, or from somebody who had them first. */
export interface Entrance extends AcceptHandler {
  /**
   * Takes over a connection that somebody before has held, and binds it. `client` is who it comes from; `destination` where that client meant
   * to connect to, if somebody has said so. Both are copied or kept: the caller gives them away. Bytes that were read are delivered by the
   * caller.
   */
  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void;
}

/** What a corridor (l4/, l7/) puts behind a listening socket: it takes the connections, and owns all that comes of them. */
export interface ProtocolListener extends Entrance {
  /** Exchanges or sessions in flight. */
  readonly activeCount: number;
  /** Connections it owns. */
  readonly connectionCount: number;
  /** Where connections go that TLS rules pass on untouched, by rule. Undefined: there are no such rules. */
  readonly branches?: readonly Entrance[] | undefined;
  /** Called once for each connection it took, when it owns that no more. Undefined unless somebody counts. */
  onConnectionOver: (() => void) | undefined;
  /**
   * The listening socket is going away: connections without work in flight end now, the others, and those still to be accepted from
   * the queue, after their work. Writes commands: the caller flushes.
   */
  closeIdle(): void;
  /** Cuts the exchanges or sessions on endpoints that are meant. Returns how many that were. The caller flushes. */
  cutWorkOn(isMeant: (endpoint: EndpointRef) => boolean): number;
  /** Cuts everything that is left, and counts it as such. Returns how many exchanges or sessions that were. The caller flushes. */
  cutAll(): number;
}
