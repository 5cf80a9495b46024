import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Long enough that reloads in a row cost one collection, short enough that nobody sees a proxy that has grown. */
const QUIET_MS = 3_000;

/**
 * Collects what reloads have left on this thread, once they are over. The main thread allocates next to nothing else, so V8 would wait for hundreds
 * of reloads before it looks at old objects, and the process would seem to leak. Takes some 10 ms, on no thread that carries traffic.
 */
export class HeapTidier {
  #timer: NodeJS.Timeout | undefined;

  /** Something was done that leaves garbage. */
  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(collect, QUIET_MS).unref();
  }
}

/** What `--expose-gc` is for, without a global. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  gc();
}
