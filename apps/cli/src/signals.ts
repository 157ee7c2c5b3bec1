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
