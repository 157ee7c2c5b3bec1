/** How much later than others this process may hear a signal, in milliseconds. */
const SETTLE_MS = 50;

/** A signal that aborts on the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write('\nstopping …\n');
    const reason = new Error('interrupted');
    reason.name = 'AbortError';
    controller.abort(reason);
  };
  process.on('SIGINT', abort);
  process.on('SIGTERM', abort);
  return controller.signal;
}

/**
 * What `work` gives, or the signal's reason as soon as it aborts: also where the work does not listen, or fails because what it
 * needs was stopped by the same Ctrl-C.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { signal: over.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    // All processes of a terminal hear its Ctrl-C: what they started may have ended a moment before we heard.
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    signal.throwIfAborted();
    throw error;
  } finally {
    over.abort();
  }
}
