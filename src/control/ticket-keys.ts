import { randomBytes } from 'node:crypto';
import { TICKET_KEY_BYTES, TICKET_KEYS_MAX } from '../engine/secure-context.ts';

/** A ticket is good for two hours: with four keys in a row, none outlives the key that opens it. */
export const TICKET_ROTATION_MS = 3_600_000;

/** The keys of session tickets, for all shards: a client may come back to any of them. Whoever has one reads what its sessions said, so each lives for hours only. */
export class TicketKeys {
  #keys: Uint8Array;

  /** `inherited`: those of the process before, whose sessions go on. */
  constructor(inherited?: Uint8Array) {
    this.#keys = isUsable(inherited) ? inherited : randomBytes(TICKET_KEY_BYTES);
  }

  /** The newest first. */
  get current(): Uint8Array {
    return this.#keys;
  }

  /** A new one seals from now on; the oldest is forgotten. */
  rotate(): Uint8Array {
    const kept = this.#keys.subarray(0, TICKET_KEY_BYTES * (TICKET_KEYS_MAX - 1));
    this.#keys = Buffer.concat([randomBytes(TICKET_KEY_BYTES), kept]);
    return this.#keys;
  }
}

function isUsable(keys: Uint8Array | undefined): keys is Uint8Array {
  if (keys === undefined || keys.length === 0 || keys.length % TICKET_KEY_BYTES !== 0) return false;
  return keys.length <= TICKET_KEY_BYTES * TICKET_KEYS_MAX;
}
