/** What a process ends with that was interrupted. */
export const INTERRUPTED = 130;

/** How often a process that npm started looks whether npm's shell is still there, in milliseconds. */
const LOOK_MS = 500;

/**
 * A signal that aborts on the first Ctrl-C or SIGTERM, and where the shell that npm started this process in is gone; a second one ends
 * the process at once.
 * @param stopping is called just before it aborts.
 */
export function abortOnSignals(stopping: () => void = () => undefined): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => {
    stopping();
    const reason = new Error('interrupted');
    reason.name = 'AbortError';
    controller.abort(reason);
  };
  const onSignal = (): void => (controller.signal.aborted ? process.exit(INTERRUPTED) : abort());
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  onShellGone(() => void (controller.signal.aborted || abort()));
  return controller.signal;
}

/**
 * Calls `stop` once the shell is gone that npm started this process in; never where npm did not. npm hands SIGTERM to that shell, which ends
 * without a word to us: that it is gone is our signal.
 */
export function onShellGone(stop: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const shell = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(look);
    stop();
  }, LOOK_MS);
  look.unref();
}
