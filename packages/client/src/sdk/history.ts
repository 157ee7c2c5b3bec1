import type { ClientStore } from '../ports.ts';
import {
  checkInteractions,
  decodeInteractions,
  encodeInteractions,
  type Interaction,
} from './interactions.ts';

/** Key in the store. */
const INTERACTIONS = 'interactions';

/** What a person did, kept durably in the order it came. */
export interface History {
  /** @throws {UsageError} naming what is not as {@link Interaction} says; nothing is kept then. */
  record(interactions: Interaction | readonly Interaction[]): Promise<void>;
  all(): Promise<readonly Interaction[]>;
  /** Somebody else wrote into the store: it is read again. */
  refresh(): void;
}

/** @param now milliseconds since the epoch, for interactions that name no time. */
export function openHistory(store: ClientStore, now: () => number): History {
  let known: readonly Interaction[] | undefined;
  return {
    async record(interactions) {
      const list: readonly Interaction[] = Array.isArray(interactions)
        ? (interactions as readonly Interaction[])
        : [interactions as Interaction];
      if (list.length === 0) return;
      checkInteractions(list);
      const stamped = list.map((interaction) => ({ ...interaction, at: interaction.at ?? now() }));
      await store.append(INTERACTIONS, encodeInteractions(stamped));
      if (known !== undefined) known = [...known, ...stamped];
    },
    async all() {
      known ??= (await store.readLog(INTERACTIONS)).flatMap(decodeInteractions);
      return known;
    },
    refresh: () => void (known = undefined),
  };
}
