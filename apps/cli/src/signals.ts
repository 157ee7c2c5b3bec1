import { abortOnSignals as abortOn } from '@tutti/base/node';
import { EXIT } from './exit-codes.ts';

/** How much later than others this process may hear a signal, in milliseconds. */
const SETTLE_MS = 50;

/** A signal that aborts on the first Ctrl-C or SIGTERM; a second one ends the process at once. @param say hears that it stops. */
export const abortOnSignals = (say = (text: string): void => void process.stderr.write(text)): AbortSignal =>
  abortOn(() => say('\nstopping …\n'));

/** Ends the command quietly when whoever read its output is gone, as in `tutti … | head`. */
export function endWithReader(): void {
  let gone = false;
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
    if (gone) return;
    gone = true;
    if (process.listenerCount('SIGTERM') === 0) process.exit(EXIT.interrupted);
    process.kill(process.pid, 'SIGTERM');
  };
  process.stdout.on('error', onError);
  process.stderr.on('error', onError);
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
