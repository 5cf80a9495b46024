import type { RouteMatch } from '../contract/plan.ts';
import { asciiBytes } from '../core/bytes.ts';
import type { CommandWriter } from '../engine/command-writer.ts';
import type { Scratch } from '../engine/scratch.ts';
import { writeBytes } from './header-edits.ts';

/** Of an exact path: all of it is replaced. */
const WHOLE = -1;

/**
 * Another path in place of the matched prefix, or of the whole exact path: with `/v1/*` and `/v2`, `/v1/a` becomes `/v2/a`. Both paths are in normal
 * form, and so is what becomes of them. Hot path (`write`): no allocation, no strings.
 */
export class PathRewrite {
  /** Where nothing follows the prefix. */
  readonly #whole: Uint8Array;
  /** In front of what follows, which begins with a slash. */
  readonly #base: Uint8Array;
  readonly #prefixBytes: number;

  constructor(path: string, match: RouteMatch) {
    this.#whole = asciiBytes(path);
    this.#base = asciiBytes(path.replace(/\/$/, ''));
    this.#prefixBytes = prefixBytesOf(match.path);
  }

  /** What `write` takes of the scratch. */
  get scratchBytes(): number {
    return this.#whole.length;
  }

  /** Adds the new path to the open SEND. The old one is `slab[pathStart, pathEnd)`. */
  write(commands: CommandWriter, scratch: Scratch, pathStart: number, pathEnd: number): void {
    const restStart = this.#prefixBytes === WHOLE ? pathEnd : Math.min(pathEnd, pathStart + this.#prefixBytes);
    writeBytes(commands, scratch, restStart === pathEnd ? this.#whole : this.#base);
    commands.range(restStart, pathEnd - restStart);
  }
}

function prefixBytesOf(path: string | undefined): number {
  if (path === undefined) return 0;
  return path.endsWith('/*') ? path.length - '/*'.length : WHOLE;
}
