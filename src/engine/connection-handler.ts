/**
 * What owns a connection: the front door, a session, an exchange, the connection pool. The dispatcher calls it with the events of that
 * connection, within a round. Handlers act through `dispatcher.commands` only. They never throw.
 *
 * Few classes implement it (the call sites must stay polymorphic in at most four shapes to be fast).
 */
export interface ConnectionHandler {
  /** Bytes [offset, offset + length) of the slab, borrowed until the round ends. `ended`: FIN is known to follow (onEnd comes too). */
  onData(id: number, offset: number, length: number, ended: boolean): void;
  onConnected(id: number): void;
  onConnectFailed(id: number, errno: number): void;
  onRelayDone(id: number, sink: number): void;
  onEnd(id: number): void;
  /** The connection is gone and the id is dead. The dispatcher has already unbound it. */
  onClosed(id: number, errno: number, bytesReceived: number, bytesSent: number): void;
  onDeadline(id: number): void;
  /** Only of who has ordered SECURE. `version`: as on the wire; `flags`: SECURED_RESUMED, SECURED_WITH_CERTIFICATE. */
  onSecured?(id: number, version: number, flags: number): void;
  /** Both ends are gone. Called on the handler of the first end; the dispatcher has already unbound both. */
  onTunnelClosed(
    first: number,
    second: number,
    reason: number,
    errno: number,
    bytesForward: number,
    bytesBack: number,
  ): void;
}

/** What takes the connections of a listener. The handler it binds gets everything that follows. */
export interface AcceptHandler {
  /** `addressOffset`: index into `engine.events` of the four address words; valid during the call. family 4, 6, or 0 for unix. */
  onAccepted(id: number, family: number, port: number, addressOffset: number): void;
}
