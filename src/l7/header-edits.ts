/**
 * What a route does to header fields: which are left out, and what is written instead and besides. Compiled once per plan; the lines are copied
 * to the scratch when they are sent, so that no plan leaves anything behind on the slab. Hot path (`drops`, `write`): no allocation,
 * no strings, no throw.
 */
import type { HeaderEdits as HeaderEditsPlan } from '../contract/plan.ts';
import { asciiBytes, equalsLowerCased } from '../core/bytes.ts';
import type { CommandWriter } from '../engine/command-writer.ts';
import type { Scratch } from '../engine/scratch.ts';

export class HeaderEdits {
  /** In lower case. */
  readonly #dropped: readonly Uint8Array[];
  /** Whole lines. */
  readonly #lines: Uint8Array;
  /** What `write` takes of the scratch. */
  readonly scratchBytes: number;

  constructor({ set, add, remove }: HeaderEditsPlan) {
    const names = [...set.map(({ name }) => name), ...remove].map((name) => name.toLowerCase());
    this.#dropped = [...new Set(names)].map(asciiBytes);
    this.#lines = asciiBytes([...set, ...add].map(({ name, value }) => `${name}: ${value}\r\n`).join(''));
    this.scratchBytes = this.#lines.length;
  }

  /** Whether fields with the name `bytes[start, end)` are left out. */
  drops(bytes: Uint8Array, start: number, end: number): boolean {
    for (const name of this.#dropped) if (equalsLowerCased(bytes, start, end, name)) return true;
    return false;
  }

  /** Adds the lines to the open SEND. */
  write(commands: CommandWriter, scratch: Scratch): void {
    writeBytes(commands, scratch, this.#lines);
  }
}

/** Adds bytes of our own to the open SEND, by way of the scratch: the caller has made sure of the room. */
export function writeBytes(commands: CommandWriter, scratch: Scratch, bytes: Uint8Array): void {
  const offset = scratch.take(bytes.length);
  scratch.bytes.set(bytes, offset);
  commands.range(offset, bytes.length);
}
