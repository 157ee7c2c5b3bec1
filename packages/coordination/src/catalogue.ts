import { DecodeError } from '@tutti/base';
import { fetchBlob, type Blobs, type Store } from './ports.ts';
import { decodeJournalEntry } from './journal.ts';

/** A task's items, in the order of the item table. A row is an item's for ever. */
export interface TaskCatalogue {
  /** The app's own ids. */
  readonly ids: readonly string[];
  readonly titles?: readonly string[] | undefined;
  readonly genres?: readonly (readonly string[])[] | undefined;
  /** Of a catalogue that is given, the vector that each item brings along. They are not kept: their digest is. */
  readonly vectors?: readonly (readonly number[])[] | undefined;
  /** What names the vectors, so that a change of them is a change of the catalogue. */
  readonly vectorsHash?: string | undefined;
  /** Rows of items that are gone, ascending: they keep their row, and are recommended to nobody. */
  readonly retired?: readonly number[] | undefined;
}

/** Part of the known items that a catalogue has to have still: below it, it is another one. */
const LEAST_SHARED = 0.5;

/**
 * The catalogue that a task has so far; undefined where it has not begun.
 * @throws {MissingBlobError} if the store lost it. @throws {DecodeError} if it is none.
 */
export async function knownCatalogue(
  { store, blobs }: { readonly store: Pick<Store, 'readJournal'>; readonly blobs: Blobs },
  task: string,
): Promise<TaskCatalogue | undefined> {
  const named = (await store.readJournal(task))
    .map(decodeJournalEntry)
    .findLast((entry) => entry.type === 'task-created' || entry.type === 'catalogue-changed');
  return named === undefined ? undefined : decodeTaskCatalogue(await fetchBlob(blobs, named.catalogueHash));
}

/** @throws {DecodeError} if the bytes are no catalogue. */
export function decodeTaskCatalogue(bytes: Uint8Array): TaskCatalogue {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  if (typeof value === 'object' && value !== null && 'ids' in value && Array.isArray(value.ids))
    return value as TaskCatalogue;
  throw new DecodeError('catalogue.ids', 'is not a list');
}

/**
 * A task's catalogue after it was given another one. Items that were known keep their row; new ones come behind them; those that are
 * missing now are retired, and come back to their own row if they are given again.
 *
 * @returns undefined where fewer than half of the known items are left: it is another catalogue.
 */
export function changedCatalogue(known: TaskCatalogue, given: TaskCatalogue): TaskCatalogue | undefined {
  const rowOf = new Map(given.ids.map((id, row) => [id, row]));
  const knownIds = new Set(known.ids);
  const gone = known.ids.flatMap((id, row) => (rowOf.has(id) ? [] : [row]));
  if (known.ids.length - gone.length < LEAST_SHARED * known.ids.length) return undefined;
  const ids = [...known.ids, ...given.ids.filter((id) => !knownIds.has(id))];
  /** What is said of each item now, or was before it was retired. */
  const column = <T>(
    now: readonly T[] | undefined,
    before: readonly T[] | undefined,
    none: (id: string) => T,
  ) =>
    now === undefined
      ? undefined
      : ids.map((id, row) => {
          const at = rowOf.get(id);
          return (at === undefined ? before?.[row] : now[at]) ?? none(id);
        });
  const titles = column(given.titles, known.titles, (id) => id);
  const genres = column<readonly string[]>(given.genres, known.genres, () => []);
  const vectors = column<readonly number[]>(given.vectors, known.vectors, () => []);
  return {
    ids,
    ...(titles === undefined ? {} : { titles }),
    ...(genres === undefined ? {} : { genres }),
    ...(vectors === undefined ? {} : { vectors }),
    ...(gone.length === 0 ? {} : { retired: gone }),
  };
}
