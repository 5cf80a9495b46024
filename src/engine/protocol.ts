/**
 * The numbers that cross the door to C++: `native/protocol.h` holds the same ones, and a test compares the two.
 *
 * Events (engine to shard) are records of EVENT_WORDS int32 each: `[kind, id, a, b, c, d, e, f]`. 64-bit counts travel as two
 * words, low then high. `id` names a connection: index in the low INDEX_BITS, generation above, so that a stale id is refused.
 *
 * Commands (shard to engine): SEND is `[op, id, source, flags, count, (offset, length) x count]`; every other command is five words,
 * unused ones 0. A command with a stale id does nothing. An index is not given out again in the round in which its connection ended, so
 * that a record of a round never names a connection that is younger than the round.
 */

export const INDEX_BITS = 20;
export const INDEX_MASK = (1 << INDEX_BITS) - 1;
export const EVENT_WORDS = 8;
/** Most events of one round. */
export const EVENTS_MAX = 1024;
/** Size of the command buffer in words. A writer that runs out of room submits what it has. */
export const COMMANDS_MAX_WORDS = 32_768;
/** Most ranges of one SEND. The engine maps them to one `sendmsg`. */
export const RANGES_MAX = 64;

/** First part of the slab: what was received, written by the engine, borrowed by the shard for one round. */
export const RECEIVE_BYTES = 2 * 1024 * 1024;
/** Second part: written by the shard, valid for one round. */
export const SCRATCH_OFFSET = RECEIVE_BYTES;
export const SCRATCH_BYTES = 1024 * 1024;
/** Third part: written by the shard once per plan (header names, prepared responses), valid until it overwrites them. */
export const CONSTANTS_OFFSET = SCRATCH_OFFSET + SCRATCH_BYTES;
export const CONSTANTS_BYTES = 8 * 1024 * 1024;
export const SLAB_BYTES = CONSTANTS_OFFSET + CONSTANTS_BYTES;
/** Most bytes one DATA event adds to what was held. */
export const RECEIVE_MAX_BYTES = 64 * 1024;
/** Most bytes that HOLD keeps for one connection. */
export const HOLD_MAX_BYTES = 256 * 1024;
/** Most bytes that a connection retains for a replay (see SEND_RETAIN). */
export const RETAIN_MAX_BYTES = 256 * 1024;

export const Event = {
  /** a: listener | family << 16 (4, 6, or 0 for unix); b: peer port; c..f: peer address, four words whose first octet is the highest
   *  byte; v4 in c. A v4-mapped v6 peer is reported as v4. Reading begins at once. */
  ACCEPTED: 1,
  /** a: offset on the slab; b: length, held bytes first; c: 1 if the end of the stream is already known to follow. */
  DATA: 2,
  /** A dial succeeded. */
  CONNECTED: 3,
  /** a: errno. The id stays allocated, without a socket: redial or close it. Nothing of what was sent to it has left. Its deadline is
   *  cleared. */
  CONNECT_FAILED: 4,
  /** A RELAY with a known length is over: all of it was handed to the sink. id: source; a: sink. */
  RELAY_DONE: 5,
  /** The peer sent FIN, and everything before it was delivered. Once per connection. Not for tunnels. The connection stays: the shard
   *  closes it, also when it has half-closed it itself. */
  END: 6,
  /** The connection failed: a: errno (0: unknown); b, c: bytes received; d, e: bytes sent. The id is dead, but for REPLAY, which may name
   *  it until the commands of this round have run. Never follows a CLOSE or RESET by the shard. Not for tunnels. */
  CLOSED: 7,
  /** The deadline set on the connection has passed, and is cleared. Nothing else has changed: a dial goes on until it is redialed or
   *  closed. */
  DEADLINE: 8,
  /** id, a: the two ends; b: reason (TunnelEnd) | errno << 8; c, d: bytes from id to a; e, f: bytes from a to id. Both are dead. */
  TUNNEL_CLOSED: 9,
  /** A SECURE is over, and from now on DATA is what TLS carried. a: version as on the wire (0x0303, 0x0304); b: SECURED_RESUMED and
   *  SECURED_WITH_CERTIFICATE. If the handshake fails it is CLOSED instead: EPROTO, or EKEYREJECTED if the peer's certificate was not
   *  believed; `Engine.secureFailure` knows more, in that round. */
  SECURED: 10,
} as const;

/** Who ended a tunnel. */
export const TunnelEnd = {
  /** Both sides sent FIN. */
  CLEAN: 0,
  /** The first side (record's id) failed or was reset. */
  FIRST_FAILED: 1,
  SECOND_FAILED: 2,
  /** No byte moved for the idle time. */
  IDLE: 3,
  /** The shard closed or reset one of them. Such an end makes no event; the number exists for logs. */
  ORDERED: 4,
} as const;

export const Command = {
  /** [op, id, source, flags, count, (offset, length) x count]. Sends slab ranges with one gather call; what the socket does not
   *  take is copied and sent when it does. While such bytes wait, `source` (0: none) is not read. More than 1 MiB of them fails the
   *  connection (CLOSED, ENOBUFS). */
  SEND: 1,
  /** [op, source, sink, nLow, nHigh]. Moves exactly n bytes from source to sink without showing them; what the source holds
   *  (HOLD) goes first. Reads a paused source again. n = RELAY_UNTIL_END (both words -1): up to FIN, which is reported as END. A FIN or
   *  error of the source before n bytes is END or CLOSED, never RELAY_DONE. If the sink goes, the relay is over without an event of its
   *  own, and the source is paused. */
  RELAY: 2,
  /** [op, a, b, idleMs]. Relays both directions, passes FIN on in each, until both have ended. A reset of one resets the
   *  other. What either holds goes first. One TUNNEL_CLOSED ends it. idleMs 0: no idle deadline. Both must be connected; their
   *  deadlines are cleared, and paused ones are read again. From then on they take no commands but CLOSE and RESET, which end both. */
  TUNNEL: 3,
  /** [op, id, offset, length]. Keeps slab bytes for the connection: the next DATA (or RELAY, TUNNEL) begins with them. Replaces what
   *  was held; length 0 forgets it. More than HOLD_MAX_BYTES closes the connection (CLOSED, ENOBUFS). */
  HOLD: 4,
  /** [op, id]. Stop reading. A reset is still reported, and so is FIN if nothing unread precedes it. */
  PAUSE: 5,
  /** [op, id, whenDrained]. Read again; what is held is delivered in the next round even if nothing new comes. whenDrained 1: not before
   *  all output of this connection has left. */
  RESUME: 6,
  /** [op, id, ms, mode]. One deadline per connection; ms 0 clears it. mode DEADLINE_ABSOLUTE: ms from now; DEADLINE_IDLE: ms
   *  after the last byte received from or accepted by this connection's socket, or accepted by the sink that it waits for.
   *  Resolution: DEADLINE_TICK_MS, never early. */
  DEADLINE: 7,
  /** [op, id]. FIN after what is pending has left. Later SENDs do nothing. */
  HALF_CLOSE: 8,
  /** [op, id, lingerMs]. Close after what is pending has left (at most FLUSH_MAX_MS). lingerMs > 0: FIN first, then read and discard
   *  until the peer's FIN, LINGER_MAX_BYTES, or lingerMs, so that a reset does not destroy the answer (RFC 9112 section 9.6). The id is
   *  dead at once. A connection that is not connected yet is dropped, with what was sent to it. */
  CLOSE: 9,
  /** [op, id]. RST, now. Pending bytes are dropped. */
  RESET: 10,
  /** [op, from, to]. Hands what `from` retained (SEND_RETAIN) to `to`, to be sent there, and retained there. */
  REPLAY: 11,
  /** [op, id]. Forgets what was retained. Implied by the first byte received from the connection. */
  RELEASE: 12,
  /** [op, id, context, offset, length]. An accepted connection speaks TLS from now on; the slab bytes are the first of what the client has
   *  sent. Ends with SECURED or CLOSED; the deadline is the shard's. Until then nothing else may be ordered but DEADLINE, CLOSE and RESET. */
  SECURE: 13,
} as const;

/** SEND flag: keep a copy until the first byte comes back, for REPLAY (at most RETAIN_MAX_BYTES; beyond it, what was kept is dropped). A SEND
 *  without it, or a RELAY to the connection, drops what was kept too: a replay would have a hole. */
export const SEND_RETAIN = 1;
/** Flags of SECURED: no certificate was asked for anew; the peer has shown one (perhaps in the session that was resumed). */
export const SECURED_RESUMED = 1;
export const SECURED_WITH_CERTIFICATE = 2;
export const RELAY_UNTIL_END = -1;
export const DEADLINE_ABSOLUTE = 0;
export const DEADLINE_IDLE = 1;
export const DEADLINE_TICK_MS = 20;
/** Longest wait for pending bytes of a connection that was closed. */
export const FLUSH_MAX_MS = 30_000;
/** Most bytes discarded from a lingering connection. */
export const LINGER_MAX_BYTES = 8 * 1024 * 1024;

/** Indexes of `Engine.counters`, which the engine alone writes. */
export const Counter = {
  CONNECTIONS_OPEN: 0,
  CONNECTIONS_ACCEPTED: 1,
  CONNECTIONS_DIALED: 2,
  TURNS: 3,
  ROUNDS: 4,
  EVENTS: 5,
  BYTES_COPIED: 6,
  BYTES_SPLICED: 7,
  PIPES_OPEN: 8,
  ACCEPT_PAUSES: 9,
  DESCRIPTORS_OPEN: 10,
  /** TLS, with clients and endpoints: done, done without a full handshake, failed. */
  HANDSHAKES: 11,
  HANDSHAKES_RESUMED: 12,
  HANDSHAKES_FAILED: 13,
  /** No count, but the time (`sharedNowMs`): read with each round, and each time that commands are carried out. */
  NOW_MS: 14,
} as const;
/** From here on, four per listener: connections open, accepted, bytes received from clients, bytes sent to them. */
export const COUNTERS_LISTENER_OFFSET = 16;
export const COUNTERS_PER_LISTENER = 4;
export const ListenerCounter = { CONNECTIONS: 0, ACCEPTED: 1, BYTES_RECEIVED: 2, BYTES_SENT: 3 } as const;
export const LISTENERS_MAX = 1024;
export const COUNTERS_LENGTH = COUNTERS_LISTENER_OFFSET + COUNTERS_PER_LISTENER * LISTENERS_MAX;
