/** Milliseconds of work between two breaths. */
const HOLD_MS = 20;

/**
 * A function to call often during long work: now and then it lets sockets, timers and Ctrl-C have their turn, for work itself never gives
 * one away, and throws the reason where `signal` is aborted.
 */
export function breather(signal?: AbortSignal): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last >= HOLD_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      last = performance.now();
    }
    signal?.throwIfAborted();
  };
}
