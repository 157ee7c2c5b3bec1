import type { CoordinationEvent } from './events.ts';

/** Tells events to whoever listens. */
export interface Announcer {
  emit(event: CoordinationEvent): void;
  /** Hears every event from now on, and first what a start ended. @returns how to stop. */
  subscribe(listener: (event: CoordinationEvent) => void): () => void;
  /** Somebody is there: what was ended by the start is known, and is not told again. */
  settled(): void;
}

/**
 * Tells events. An attempt that a crash left open ends before anybody can listen: it is kept, the last one of each task, until the first
 * client is there.
 */
export function openAnnouncer(): Announcer {
  const listeners = new Set<(event: CoordinationEvent) => void>();
  const unheard = new Map<string, CoordinationEvent>();
  return {
    emit(event) {
      if (listeners.size === 0 && event.type === 'aborted') unheard.set(event.task, event);
      for (const listener of listeners) listener(event);
    },
    subscribe(listener) {
      listeners.add(listener);
      for (const event of unheard.values()) listener(event);
      return () => listeners.delete(listener);
    },
    settled: () => unheard.clear(),
  };
}
