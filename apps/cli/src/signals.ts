import { EXIT } from './exit-codes.ts';

/** How much later than others this process may hear a signal, in milliseconds. */
const SETTLE_MS = 50;

/** How often a process that npm started looks whether npm's shell is still there, in milliseconds. */
const LOOK_MS = 500;

/** A signal that aborts on the first Ctrl-C or SIGTERM; a second one ends the process at once. @param say hears that it stops. */
export function abortOnSignals(say = (text: string): void => void process.stderr.write(text)): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => {
    say('\nstopping …\n');
    const reason = new Error('interrupted');
    reason.name = 'AbortError';
    controller.abort(reason);
  };
  const onSignal = (): void => (controller.signal.aborted ? process.exit(EXIT.interrupted) : abort());
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  onShellGone(() => void (controller.signal.aborted || abort()));
  return controller.signal;
}

/** npm hands SIGTERM to the shell between it and us, which ends without a word to us: that it is gone is our signal. */
function onShellGone(stop: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const shell = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(look);
    stop();
  }, LOOK_MS);
  look.unref();
}

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
