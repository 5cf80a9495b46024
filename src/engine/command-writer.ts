/**
 * Writes commands into an engine's buffer. Hot path: no allocation, no closures, no throws.
 *
 * Outside a round (timers, messages) call `flush()` when done; within a round the shard returns `take()` to the engine.
 */

import { invariant } from '../core/invariant.ts';
import { highWord, lowWord } from '../core/two-words.ts';
import type { Engine } from './engine.ts';
import {
  COMMANDS_MAX_WORDS,
  Command,
  DEADLINE_ABSOLUTE,
  DEADLINE_IDLE,
  RANGES_MAX,
  RELAY_UNTIL_END,
} from './protocol.ts';

const SEND_HEAD_WORDS = 5;
/** Room that every command but SEND fits in. */
const COMMAND_MAX_WORDS = 8;
const SEND_MAX_WORDS = SEND_HEAD_WORDS + 2 * RANGES_MAX;

export class CommandWriter {
  readonly #engine: Engine;
  readonly #words: Int32Array;
  #length = 0;
  /** Start of the SEND being built, or -1. */
  #sendStart = -1;
  /** Tunnels not yet written: first, second, idleMs of each. */
  readonly #tunnels: number[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#words = engine.commands;
  }

  /** Ends a round: the words to run. */
  take(): number {
    if (this.#tunnels.length > 0) this.#writeTunnels();
    return this.#takeWritten();
  }

  /** Runs what was written, now. */
  flush(): void {
    if (this.#length > 0 || this.#tunnels.length > 0) this.#engine.submit(this.take());
  }

  /** As flush, in the middle of a round: tunnels wait for its end. */
  spill(): void {
    if (this.#length > 0) this.#engine.submit(this.#takeWritten());
  }

  #takeWritten(): number {
    const length = this.#length;
    this.#length = 0;
    return length;
  }

  #room(words: number): void {
    if (this.#length + words > COMMANDS_MAX_WORDS) this.spill();
  }

  /** Opens a SEND; follow with `range` calls and one `endSend`. `source` is not read while bytes wait (0: none). */
  beginSend(id: number, source: number, flags: number): void {
    this.#room(SEND_MAX_WORDS);
    const words = this.#words;
    const at = this.#length;
    this.#sendStart = at;
    words[at] = Command.SEND;
    words[at + 1] = id;
    words[at + 2] = source;
    words[at + 3] = flags;
    words[at + 4] = 0;
    this.#length = at + SEND_HEAD_WORDS;
  }

  /** Adds a slab range. A range that continues the one before is merged; the RANGES_MAX + 1st opens a second SEND. */
  range(offset: number, length: number): void {
    if (length === 0) return;
    const words = this.#words;
    const start = this.#sendStart;
    const count = words[start + 4]!;
    const at = this.#length;
    if (count > 0 && words[at - 2]! + words[at - 1]! === offset) {
      words[at - 1] = words[at - 1]! + length;
      return;
    }
    if (count === RANGES_MAX) {
      this.beginSend(words[start + 1]!, words[start + 2]!, words[start + 3]!);
      this.range(offset, length);
      return;
    }
    words[at] = offset;
    words[at + 1] = length;
    words[start + 4] = count + 1;
    this.#length = at + 2;
  }

  /** Closes the SEND; one without ranges is taken back. */
  endSend(): void {
    if (this.#words[this.#sendStart + 4] === 0) this.#length = this.#sendStart;
    this.#sendStart = -1;
  }

  /** A SEND of one range. */
  send(id: number, source: number, flags: number, offset: number, length: number): void {
    this.beginSend(id, source, flags);
    this.range(offset, length);
    this.endSend();
  }

  /** `byteCount` RELAY_UNTIL_END relays up to FIN. */
  relay(source: number, sink: number, byteCount: number): void {
    const untilEnd = byteCount === RELAY_UNTIL_END;
    const low = untilEnd ? -1 : lowWord(byteCount);
    const high = untilEnd ? -1 : highWord(byteCount);
    this.#write(Command.RELAY, source, sink, low, high);
  }

  /**
   * Written last in the round: records of the same round may still bring bytes of either end, and a HOLD of them must come before, since
   * the ends of a tunnel take no more commands.
   */
  tunnel(first: number, second: number, idleMs: number): void {
    this.#tunnels.push(first, second, idleMs);
  }

  #writeTunnels(): void {
    const tunnels = this.#tunnels;
    for (let i = 0; i < tunnels.length; i += 3) {
      this.#write(Command.TUNNEL, tunnels[i]!, tunnels[i + 1]!, tunnels[i + 2]!, 0);
    }
    tunnels.length = 0;
  }

  secure(id: number, context: number, offset: number, length: number): void {
    this.#write(Command.SECURE, id, context, offset, length);
  }

  hold(id: number, offset: number, length: number): void {
    this.#write(Command.HOLD, id, offset, length, 0);
  }

  pause(id: number): void {
    this.#write(Command.PAUSE, id, 0, 0, 0);
  }

  resume(id: number): void {
    this.#write(Command.RESUME, id, 0, 0, 0);
  }

  /** Reads on only once all output of the connection has left: bounds what a pipelining client can make us keep. */
  resumeWhenDrained(id: number): void {
    this.#write(Command.RESUME, id, 1, 0, 0);
  }

  deadline(id: number, ms: number): void {
    this.#write(Command.DEADLINE, id, ms, DEADLINE_ABSOLUTE, 0);
  }

  idleDeadline(id: number, ms: number): void {
    this.#write(Command.DEADLINE, id, ms, DEADLINE_IDLE, 0);
  }

  clearDeadline(id: number): void {
    this.#write(Command.DEADLINE, id, 0, DEADLINE_ABSOLUTE, 0);
  }

  halfClose(id: number): void {
    this.#write(Command.HALF_CLOSE, id, 0, 0, 0);
  }

  close(id: number): void {
    this.#write(Command.CLOSE, id, 0, 0, 0);
  }

  closeLingering(id: number, lingerMs: number): void {
    this.#write(Command.CLOSE, id, lingerMs, 0, 0);
  }

  reset(id: number): void {
    this.#write(Command.RESET, id, 0, 0, 0);
  }

  replay(from: number, to: number): void {
    this.#write(Command.REPLAY, from, to, 0, 0);
  }

  release(id: number): void {
    this.#write(Command.RELEASE, id, 0, 0, 0);
  }

  /** All commands but SEND are five words on the wire, unused ones 0: one shape, one place to decode. */
  #write(op: number, a: number, b: number, c: number, d: number): void {
    invariant(this.#sendStart < 0, 'a command stands within an open SEND');
    this.#room(COMMAND_MAX_WORDS);
    const words = this.#words;
    const at = this.#length;
    words[at] = op;
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
    words[at + 4] = d;
    this.#length = at + 5;
  }
}
