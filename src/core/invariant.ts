/**
 * Says that something is impossible unless we made a mistake. It crashes the shard, and the supervisor replaces it.
 * Network input, configuration and the operating system can never trip an invariant: those are errors with a code.
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
