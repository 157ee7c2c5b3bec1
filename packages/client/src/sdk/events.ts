import type { RecommenderEvent } from './recommender.ts';

/** What an app hears, by name. */
export type RecommenderEvents = { [Event in RecommenderEvent as Event['type']]: Event };

/** Who listens. */
export interface Listeners {
  /** @returns what ends listening. */
  on<Type extends keyof RecommenderEvents>(
    type: Type,
    listener: (event: RecommenderEvents[Type]) => void,
  ): () => void;
  emit(event: RecommenderEvent): void;
}

/** Listeners of one recommender. An error that one throws is the app's to hear of; it ends nothing else. */
export function openListeners(): Listeners {
  const byType = new Map<string, Set<(event: never) => void>>();
  return {
    on(type, listener) {
      const listeners = byType.get(type) ?? new Set();
      byType.set(type, listeners);
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    emit(event) {
      for (const listener of byType.get(event.type) ?? [])
        try {
          (listener as (event: RecommenderEvent) => void)(event);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
    },
  };
}
