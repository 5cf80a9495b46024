/** How often a draining shard looks whether it is idle. Drains last as long as the slowest request: looking costs nothing beside that. */
const LOOK_EVERY_MS = 20;
/** Idle looks in a row that count: what the engine takes from the accept queues meanwhile is not idle. */
const IDLE_LOOKS = 5;

/** Calls back once `isIdle` has held for IDLE_LOOKS looks. Returns how to stop looking. */
export function whenIdle(isIdle: () => boolean, onIdle: () => void): () => void {
  let idleLooks = 0;
  const timer = setInterval(() => {
    idleLooks = isIdle() ? idleLooks + 1 : 0;
    if (idleLooks < IDLE_LOOKS) return;
    clearInterval(timer);
    onIdle();
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}
