import { InternalError, wipe } from '@tutti/base';
import { addInto, type CryptoSuite } from '@tutti/secure-aggregation';
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

/** Ports that keep everything in memory: for simulation, and for tests. */

/** A store that forgets with the process. */
export function memoryStore(): Store {
  const journals = new Map<string, JournalEntry[]>();
  const values = new Map<string, Uint8Array>();
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

/** Blobs that are forgotten with the process. */
export function memoryBlobs(crypto: CryptoSuite): Blobs {
  const blobs = new Map<string, Uint8Array>();
  return {
    get: async (hash) => blobs.get(hash),
    async put(bytes) {
      const hash = blobHash(bytes, crypto);
      blobs.set(hash, bytes.slice());
      return hash;
    },
    delete: async (hash) => void blobs.delete(hash),
  };
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
    add: (key, words) => addInto(sumOf(key), words),
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
