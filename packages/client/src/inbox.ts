import type { CoordinatorMessage } from '@tutti/protocol';
import type { ClientClock } from './ports.ts';

/** Messages that may wait to be handled; a coordinator that sends more is not one of ours. */
const LONGEST_QUEUE = 64;

/** Messages that came, in order; bounded. */
export interface Inbox {
  push(message: CoordinatorMessage): void;
  close(reason: string): void;
  /** The next message, or nothing when `timeoutMs` passed. @throws when the connection is gone. */
  next(timeoutMs: number, clock: ClientClock, signal: AbortSignal): Promise<CoordinatorMessage | undefined>;
}

/** One that is empty. */
export function openInbox(): Inbox {
  const queue: CoordinatorMessage[] = [];
  let closed: string | undefined;
  let wake: () => void = () => undefined;
  return {
    push(message) {
      if (queue.length >= LONGEST_QUEUE) closed ??= 'too many messages at once';
      else queue.push(message);
      wake();
    },
    close(reason) {
      closed ??= reason;
      queue.length = 0;
      wake();
    },
    async next(timeoutMs, clock, signal) {
      signal.throwIfAborted();
      if (queue.length === 0 && closed === undefined) {
        const over = new AbortController();
        const came = new Promise<void>((resolve) => (wake = resolve));
        const stop = (): void => over.abort();
        signal.addEventListener('abort', stop, { once: true });
        try {
          await Promise.race([came, clock.sleep(Math.max(0, timeoutMs), over.signal).catch(() => undefined)]);
        } finally {
          over.abort();
          signal.removeEventListener('abort', stop);
        }
      }
      signal.throwIfAborted();
      if (closed !== undefined && queue.length === 0) throw new Error(closed);
      return queue.shift();
    },
  };
}
