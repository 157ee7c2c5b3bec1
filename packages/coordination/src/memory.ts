import { InternalError, wipe } from '@tutti/base';
import { addUpload } from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import type { JournalEntry } from './journal.ts';
import {
  blobHash,
  JournalConflictError,
  type Blobs,
  type Clock,
  type GroupKey,
  type GroupSums,
  type Store,
} from './ports.ts';
import { StorageLockedError, StorageNotEmptyError, type StorageItem, type StoragePlace } from './storage.ts';

/** Ports that keep everything in memory: for simulation, and for tests. */

/** What a storage in memory holds. */
interface Shelves {
  readonly journals: Map<string, readonly JournalEntry[]>;
  readonly values: Map<string, Uint8Array>;
  readonly blobs: Map<string, Uint8Array>;
}

const emptyShelves = (): Shelves => ({ journals: new Map(), values: new Map(), blobs: new Map() });

/** A store that forgets with the process. */
export const memoryStore = (): Store => storeOn(emptyShelves());

function storeOn({ journals, values }: Shelves): Store {
  return {
    readJournal: async (task) => structuredClone(journals.get(task) ?? []),
    async appendJournal(task, expectedLength, entries) {
      const journal = journals.get(task) ?? [];
      if (journal.length !== expectedLength) throw new JournalConflictError(expectedLength, journal.length);
      journals.set(task, [...journal, ...structuredClone(entries)]);
    },
    get: async (key) => values.get(key)?.slice(),
    put: async (key, value) => void values.set(key, value.slice()),
    close: async () => undefined,
  };
}

/** Blobs that are forgotten with the process. What is put there is theirs: nobody changes it any more. */
export const memoryBlobs = (crypto: CryptoSuite): Blobs => blobsOn(emptyShelves(), crypto);

function blobsOn({ blobs }: Shelves, crypto: CryptoSuite): Blobs {
  return {
    get: async (hash) => blobs.get(hash),
    async put(bytes) {
      const hash = blobHash(bytes, crypto);
      blobs.set(hash, bytes);
      return hash;
    },
    delete: async (hash) => void blobs.delete(hash),
  };
}

/** A place that lives as long as the process, and may be opened again and again. */
export function memoryPlace(crypto: CryptoSuite): StoragePlace {
  const name = 'memory';
  let shelves = emptyShelves();
  let isOpen = false;
  const hold = (): void => {
    if (isOpen) throw new StorageLockedError(name, 'this process');
    isOpen = true;
  };
  return {
    name,
    async open() {
      hold();
      const close = async (): Promise<void> => void (isOpen = false);
      const blobs = blobsOn(shelves, crypto);
      const put = (bytes: Uint8Array): Promise<string> => blobs.put(bytes.slice());
      return { store: { ...storeOn(shelves), close }, blobs: { ...blobs, put }, close };
    },
    async snapshot() {
      const items = itemsOf(shelves);
      return {
        count: items.length,
        async *items() {
          yield* items;
        },
        close: async () => undefined,
      };
    },
    async fill(items) {
      hold();
      try {
        if (itemsOf(shelves).length > 0) throw new StorageNotEmptyError(name);
        const filled = emptyShelves();
        for await (const item of items) shelve(filled, item);
        shelves = filled;
      } finally {
        isOpen = false;
      }
    },
  };
}

const itemsOf = ({ journals, values, blobs }: Shelves): StorageItem[] => [
  ...[...journals].flatMap(([task, entries]) =>
    entries.map((entry, position) => ({ kind: 'entry', task, position, entry }) as const),
  ),
  ...[...values].map(([key, bytes]) => ({ kind: 'value', key, bytes }) as const),
  ...[...blobs].map(([hash, bytes]) => ({ kind: 'blob', hash, bytes }) as const),
];

function shelve({ journals, values, blobs }: Shelves, item: StorageItem): void {
  switch (item.kind) {
    case 'entry':
      return void journals.set(item.task, [...(journals.get(item.task) ?? []), item.entry]);
    case 'value':
      return void values.set(item.key, item.bytes);
    case 'blob':
      return void blobs.set(item.hash, item.bytes);
  }
}

/** Running sums in this process. */
export function memoryGroupSums(): GroupSums {
  const sums = new Map<string, Uint32Array>();
  const name = ({ attempt, group }: GroupKey): string => `${attempt}/${group}`;
  const sumOf = (key: GroupKey): Uint32Array => {
    const sum = sums.get(name(key));
    if (sum === undefined) throw new InternalError(`there is no running sum ${name(key)}`);
    return sum;
  };
  return {
    open: (key, words) => void sums.set(name(key), new Uint32Array(words)),
    add: (key, upload) => addUpload(sumOf(key), upload),
    async take(key) {
      const sum = sumOf(key);
      sums.delete(name(key));
      return sum;
    },
    discard(key) {
      const sum = sums.get(name(key));
      if (sum !== undefined) wipe(sum);
      sums.delete(name(key));
    },
  };
}

/** A clock that moves when it is told to. */
export interface ManualClock extends Clock {
  /** Moves by `ms`, calling back what falls due on the way, in order. */
  advance(ms: number): void;
  /** Moves to the next callback and calls it. @returns whether there was one. */
  advanceToNext(): boolean;
}

/** A clock for simulation and tests, starting at `startMs`. */
export function manualClock(startMs = 0): ManualClock {
  let now = startMs;
  let nextId = 0;
  const timers = new Map<number, { at: number; callback: () => void }>();
  const next = (): [number, { at: number; callback: () => void }] | undefined =>
    [...timers].sort(([idA, a], [idB, b]) => a.at - b.at || idA - idB)[0];
  const fire = ([id, { at, callback }]: [number, { at: number; callback: () => void }]): void => {
    now = Math.max(now, at);
    timers.delete(id);
    callback();
  };
  return {
    now: () => now,
    after(delayMs, callback) {
      const id = nextId++;
      timers.set(id, { at: now + delayMs, callback });
      return () => void timers.delete(id);
    },
    advance(ms) {
      const end = now + ms;
      for (let due = next(); due !== undefined && due[1].at <= end; due = next()) fire(due);
      now = end;
    },
    advanceToNext() {
      const due = next();
      if (due !== undefined) fire(due);
      return due !== undefined;
    },
  };
}
