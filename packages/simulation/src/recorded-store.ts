import { DecodeError, utf8 } from '@tutti/base';
import { memoryClientStore, type ClientStore } from '@tutti/client';

/** What devices stored: for each user, what is under each key. */
export type StoredValues = ReadonlyMap<number, ReadonlyMap<string, Uint8Array>>;

/** Stores of many devices, which say what was written to them. */
export interface RecordedStores {
  /** The store of a user, with what was kept of it. */
  open(user: number): ClientStore;
  /** What was written since this was last asked, as {@link readStored} takes it. */
  takeWritten(): Uint8Array;
}

/** Stores in memory, which begin with `kept`. */
export function recordedStores(kept: StoredValues): RecordedStores {
  const written = new Map<string, readonly [user: number, key: string, value: Uint8Array]>();
  return {
    open(user) {
      const store = memoryClientStore();
      // A store in memory sets before it returns.
      for (const [key, value] of kept.get(user) ?? []) void store.set(key, value);
      return {
        ...store,
        async set(key, value) {
          written.set(`${user} ${key}`, [user, key, value.slice()]);
          await store.set(key, value);
        },
      };
    },
    takeWritten() {
      const bytes = encodeStored(written.values());
      written.clear();
      return bytes;
    },
  };
}

/** JSON: `[user, key, value in base64]` for each value. */
export function encodeStored(
  values: Iterable<readonly [user: number, key: string, value: Uint8Array]>,
): Uint8Array {
  const rows = Array.from(values, ([user, key, value]) => [user, key, Buffer.from(value).toString('base64')]);
  return utf8(JSON.stringify(rows));
}

/** What {@link encodeStored} wrote. @throws {DecodeError} */
export function readStored(bytes: Uint8Array): (readonly [user: number, key: string, value: Uint8Array])[] {
  const rows: unknown = bytes.length === 0 ? [] : JSON.parse(Buffer.from(bytes).toString());
  if (!Array.isArray(rows)) throw new DecodeError('stored', 'is no list');
  return rows.map((row: unknown) => {
    const [user, key, value] = Array.isArray(row) ? (row as unknown[]) : [];
    if (typeof user !== 'number' || typeof key !== 'string' || typeof value !== 'string')
      throw new DecodeError('stored', 'has a row that is not a user, a key and a value');
    return [user, key, new Uint8Array(Buffer.from(value, 'base64'))];
  });
}

/** Puts rows together by user, the later ones over the earlier. */
export function addStoredInPlace(
  kept: Map<number, Map<string, Uint8Array>>,
  rows: Iterable<readonly [user: number, key: string, value: Uint8Array]>,
): void {
  for (const [user, key, value] of rows) {
    const values = kept.get(user) ?? new Map<string, Uint8Array>();
    kept.set(user, values.set(key, value));
  }
}
