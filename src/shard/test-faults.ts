/** Faults on demand, for tests of recovery (docs/testing.md). The supervisor sends them only where FOURSEVEN_TEST=1. */

const HANG_MAX_MS = 60_000;

/** An uncaught exception, as a bug of ours would be. */
export function crash(): void {
  setImmediate(() => {
    throw new Error('a test ordered this shard to crash');
  });
}

/** Blocks the event loop of this thread. */
export function hang(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, HANG_MAX_MS);
}
