/** Signals that are sure to fire: AbortSignal.any of Node 20 holds its sources weakly, so a timeout inside it can be collected first. */

/** Aborts when either of two does. */
export function eitherSignal(one: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  if (other === undefined) return one;
  const both = new AbortController();
  for (const source of [one, other]) {
    if (source.aborted) both.abort(source.reason);
    source.addEventListener('abort', () => both.abort(source.reason), { once: true, signal: both.signal });
  }
  return both.signal;
}

/** Aborts after `ms`, or when `outer` does. It holds no process open. */
export function deadlineSignal(ms: number, outer?: AbortSignal): AbortSignal {
  const deadline = new AbortController();
  const timer: unknown = setTimeout(
    () => deadline.abort(new DOMException(`nothing came in ${ms} ms`, 'TimeoutError')),
    ms,
  );
  // A timer is a number in a browser, and in Node an object that keeps the process.
  if (typeof timer === 'object') (timer as { unref(): void }).unref();
  return eitherSignal(deadline.signal, outer);
}
