import { concatBytes, UsageError, utf8 } from '@tutti/base';
import type { ClientStore } from '@tutti/client';
import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { DamagedStoreError, StorageFullError } from './errors.ts';

interface Schema extends DBSchema {
  /** One AES-GCM key, which nothing can read out of the browser's hands. */
  keys: { key: string; value: CryptoKey };
  values: { key: string; value: Uint8Array };
  logs: { key: number; value: { log: string; sealed: Uint8Array }; indexes: { log: string } };
}

const IV_BYTES = 12;

/** What a store is opened with. */
export interface SealedStoreOptions {
  /** Names whose value must not count as missing where it is damaged: asking for it throws. Others are dropped. */
  readonly irreplaceable: ReadonlySet<string>;
  /** Names whose value need not be kept where there is no room: it can be had again. */
  readonly expendable: ReadonlySet<string>;
  readonly onWarning: (code: 'storage-damaged' | 'storage-full', message: string) => void;
  /** The database was deleted, or is about to be, by another tab. */
  readonly onGone: () => void;
}

/**
 * A device's store in IndexedDB. Everything in it is sealed with AES-GCM; the name of a value is bound to it. The key is kept beside
 * it as an object that no script can export: what that protects stands in docs/browser.md.
 * @throws whatever the browser says where it has no storage for this page.
 */
export async function sealedStore(name: string, options: SealedStoreOptions): Promise<ClientStore> {
  const database = await openDB<Schema>(name, 1, {
    upgrade(created) {
      created.createObjectStore('keys');
      created.createObjectStore('values');
      created.createObjectStore('logs', { autoIncrement: true }).createIndex('log', 'log');
    },
    blocking(_current, _wanted, event) {
      (event.target as IDBDatabase).close();
      options.onGone();
    },
    terminated: options.onGone,
  });
  try {
    return storeOf(name, database, await keptKey(database), options);
  } catch (error) {
    database.close();
    throw error;
  }
}

async function keptKey(database: IDBPDatabase<Schema>): Promise<CryptoKey> {
  const kept = await database.get('keys', 'seal');
  if (kept !== undefined) return kept;
  const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ]);
  // Two tabs may get here at once: the first key that is kept is everybody's.
  const writing = database.transaction('keys', 'readwrite');
  const first = await writing.store.get('seal');
  if (first === undefined) await writing.store.put(made, 'seal');
  await writing.done;
  return first ?? made;
}

function storeOf(
  name: string,
  database: IDBPDatabase<Schema>,
  key: CryptoKey,
  { irreplaceable, expendable, onWarning }: SealedStoreOptions,
): ClientStore {
  let closed = false;
  const warned = new Set<string>();
  const warnOnce: SealedStoreOptions['onWarning'] = (code, message) => {
    if (!warned.has(code)) onWarning(code, message);
    warned.add(code);
  };
  const open = (): IDBPDatabase<Schema> => {
    if (closed) throw new UsageError('this recommender is closed');
    return database;
  };
  const damaged = (what: string): void =>
    warnOnce(
      'storage-damaged',
      `${what} in this browser's storage does not open any more. It is dropped, and what can be had again is fetched.`,
    );

  return {
    async get(key_) {
      const sealed = await open().get('values', key_);
      if (sealed === undefined) return undefined;
      const plain = await unseal(key, `value ${key_}`, sealed);
      if (plain !== undefined) return plain;
      if (irreplaceable.has(key_)) throw new DamagedStoreError(key_);
      damaged(key_);
      await open().delete('values', key_);
      return undefined;
    },
    async set(key_, value) {
      const sealed = await seal(key, `value ${key_}`, value);
      try {
        await written(open(), 'values', (store) => store.put(sealed, key_));
      } catch (error) {
        if (!(error instanceof StorageFullError) || !expendable.has(key_)) throw error;
        warnOnce('storage-full', `${error.message}. Until then the model is fetched again in each session.`);
      }
    },
    async append(log, record) {
      const sealed = await seal(key, `log ${log}`, record);
      await written(open(), 'logs', (store) => store.add({ log, sealed }));
    },
    async readLog(log) {
      const records: Uint8Array[] = [];
      for (const { sealed } of await open().getAllFromIndex('logs', 'log', log)) {
        const plain = await unseal(key, `log ${log}`, sealed);
        if (plain === undefined) damaged(`a record of ${log}`);
        else records.push(plain);
      }
      return records;
    },
    async clear() {
      closed = true;
      database.close();
      await deleteDB(name);
    },
    async close() {
      closed = true;
      database.close();
    },
  };
}

/** Writes, durably before it resolves. @throws {StorageFullError} */
async function written<Name extends 'values' | 'logs'>(
  database: IDBPDatabase<Schema>,
  name: Name,
  write: (store: ReturnType<typeof writable<Name>>) => Promise<unknown>,
): Promise<void> {
  const store = writable(database, name);
  try {
    await Promise.all([write(store), store.transaction.done]);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'QuotaExceededError')
      throw new StorageFullError({ cause });
    throw cause;
  }
}

const writable = <Name extends 'values' | 'logs'>(database: IDBPDatabase<Schema>, name: Name) =>
  database.transaction(name, 'readwrite', { durability: 'strict' }).store;

async function seal(key: CryptoKey, name: string, plain: Uint8Array): Promise<Uint8Array> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv, additionalData: utf8(name) as BufferSource },
    key,
    plain as BufferSource,
  );
  return concatBytes(iv, new Uint8Array(sealed));
}

/** The plaintext; nothing where it was not sealed with this key under this name. */
async function unseal(key: CryptoKey, name: string, sealed: unknown): Promise<Uint8Array | undefined> {
  if (!(sealed instanceof Uint8Array)) return undefined;
  try {
    const plain = await crypto.subtle.decrypt(
      {
        name: 'AES-GCM',
        iv: sealed.slice(0, IV_BYTES),
        additionalData: utf8(name) as BufferSource,
      },
      key,
      sealed.slice(IV_BYTES),
    );
    return new Uint8Array(plain);
  } catch {
    return undefined;
  }
}
