import type { ClientStore } from '../ports.ts';
import {
  checkInteractions,
  decodeInteractions,
  encodeInteractions,
  type Interaction,
} from './interactions.ts';

/** Key in the store. */
const INTERACTIONS = 'interactions';

/** Kind of an interaction that takes back what was recorded of its item before. */
const UNDO = 'undo';

/** What a person did, kept durably in the order it came. */
export interface History {
  /** @throws {UsageError} naming what is not as {@link Interaction} says; nothing is kept then. */
  record(interactions: Interaction | readonly Interaction[]): Promise<void>;
  /** What was recorded and not taken back, oldest first. */
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
      if (known !== undefined) known = standing([...known, ...stamped]);
    },
    async all() {
      known ??= standing((await store.readLog(INTERACTIONS)).flatMap(decodeInteractions));
      return known;
    },
    refresh: () => void (known = undefined),
  };
}

/** Without what a later interaction takes back, and without those that do. */
function standing(list: readonly Interaction[]): readonly Interaction[] {
  const undone = new Set<string>();
  const kept = [...list].reverse().filter(({ item, kind }) => {
    if (kind === UNDO) undone.add(item);
    return !undone.has(item);
  });
  return kept.reverse();
}
