import { existsSync, statSync } from 'node:fs';
import { appendFile, chmod, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { concatBytes, FederatedError, systemRandom, toHex, UsageError, utf8, wipe } from '@tutti/base';
import { ensureFolder, holdFolder } from '@tutti/base/node';
import type { ClientStore } from '@tutti/client';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { StoreInUseError } from './errors.ts';

/** What is in the store cannot be opened with this key: another device's key, or a damaged file. */
export class SealedStoreError extends FederatedError {
  override readonly name = 'SealedStoreError';
  readonly code = 'client-node/sealed-store';
  readonly fault = 'environment' as const;
  constructor(readonly file: string) {
    super(`${file} does not open with this sealing key: the key is another one, or the file is damaged`);
  }
}

const NONCE_BYTES = 24;
const KEY_FILE = 'key';

/** Bytes that sealing adds: the nonce, and the tag of secretbox. */
const SEAL_BYTES = NONCE_BYTES + 16;

/** Longest record of a log, in bytes: a length beyond it is damage. */
const LONGEST_RECORD = 16_777_216;

/**
 * A device's store in a folder, sealed at rest with secretbox. Values are replaced whole (written aside, flushed, renamed),
 * so a crash leaves the old or the new one; a log record that a crash tore is dropped. One process at a time has it open.
 *
 * @throws {StoreInUseError} if the folder is open elsewhere.
 * @throws {SealedStoreError} if its key file is damaged.
 * @param options.sealingKey 32 bytes; by default made once and kept beside the data, readable by the owner only. That
 *   protects a copy of the data without the key file; an app with a key store of its own passes its own key.
 */
export async function fileStore(
  folder: string,
  options: { sealingKey?: Uint8Array } = {},
): Promise<ClientStore> {
  ensureFolder(folder, 0o700);
  const letGo = holdFolder(folder, (pid) => new StoreInUseError(folder, pid));
  try {
    return openStore(folder, options.sealingKey ?? (await keptKey(folder)), options, letGo);
  } catch (error) {
    letGo();
    throw error;
  }
}

function openStore(
  folder: string,
  key: Uint8Array,
  options: { sealingKey?: Uint8Array },
  letGo: () => void,
): ClientStore {
  const random = systemRandom();
  const pathOf = (kind: 'value' | 'log', name: string): string =>
    join(folder, `${kind}-${toHex(utf8(name))}`);
  /** Bytes of each log whose last record is known to be whole, so that it is not read again for every record. */
  const whole = new Map<string, number>();
  let queue: Promise<unknown> = Promise.resolve();
  let closed = false;
  let holds = true;
  const release = (): void => {
    if (holds) letGo();
    holds = false;
  };
  const inOrder = <T>(work: () => Promise<T>): Promise<T> => {
    const open = async (): Promise<T> => {
      if (closed) throw new UsageError(`the store in ${folder} is closed`);
      return work();
    };
    const done = queue.then(open, open);
    queue = done.catch(() => undefined);
    return done;
  };

  function seal(name: string, plain: Uint8Array): Uint8Array {
    const nonce = random.bytes(NONCE_BYTES);
    return concatBytes(nonce, nodeCrypto.seal(plain, nonce, purposeKey(key, name)));
  }

  function unseal(name: string, file: string, sealed: Uint8Array): Uint8Array {
    if (sealed.length < SEAL_BYTES) throw new SealedStoreError(file);
    const plain = nodeCrypto.open(
      sealed.subarray(NONCE_BYTES),
      sealed.subarray(0, NONCE_BYTES),
      purposeKey(key, name),
    );
    if (plain === undefined) throw new SealedStoreError(file);
    return plain;
  }

  return {
    get: (name) =>
      inOrder(async () => {
        const file = pathOf('value', name);
        return existsSync(file) ? unseal(name, file, new Uint8Array(await readFile(file))) : undefined;
      }),
    set: (name, value) => inOrder(() => replaceFile(pathOf('value', name), seal(name, value))),
    append: (log, record) =>
      inOrder(async () => {
        if (record.length > LONGEST_RECORD - SEAL_BYTES)
          throw new UsageError(
            `a record of ${record.length} bytes; at most ${LONGEST_RECORD - SEAL_BYTES} are kept`,
          );
        const sealed = seal(log, record);
        const length = new Uint8Array(4);
        new DataView(length.buffer).setUint32(0, sealed.length, true);
        const path = pathOf('log', log);
        if (whole.get(path) !== sizeOf(path)) await dropTornTail(path);
        const file = await open(path, 'a', 0o600);
        try {
          await file.writeFile(concatBytes(length, sealed));
          await file.datasync();
          whole.set(path, sizeOf(path));
        } finally {
          await file.close();
        }
      }),
    readLog: (log) =>
      inOrder(async () => {
        const file = pathOf('log', log);
        if (!existsSync(file)) return [];
        return recordsOf(new Uint8Array(await readFile(file))).records.map((sealed) =>
          unseal(log, file, sealed),
        );
      }),
    clear: () =>
      inOrder(async () => {
        await rm(folder, { recursive: true, force: true });
        release();
      }),
    async close() {
      if (closed) return;
      await inOrder(async () => {
        closed = true;
        if (options.sealingKey === undefined) wipe(key);
        release();
      });
    },
  };
}

/** Each name has a key of its own, so that one sealed value cannot be put in another's place. */
function purposeKey(key: Uint8Array, name: string): Uint8Array {
  return nodeCrypto.digest('store', key, utf8(name));
}

/** Whole records of a log, and how many bytes they take; what follows was torn by a crash. */
function recordsOf(bytes: Uint8Array): { records: Uint8Array[]; wholeBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = view.getUint32(at, true);
    if (length > LONGEST_RECORD || at + 4 + length > bytes.length) break;
    records.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { records, wholeBytes: at };
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Cuts a torn last record off before more is added behind it. */
async function dropTornTail(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const bytes = new Uint8Array(await readFile(path));
  const { wholeBytes } = recordsOf(bytes);
  if (wholeBytes === bytes.length) return;
  // Set aside, not thrown away: should it be damage and not a torn write, there may be records in it.
  await appendFile(`${path}.torn`, bytes.subarray(wholeBytes), { mode: 0o600 });
  const file = await open(path, 'r+');
  try {
    await file.truncate(wholeBytes);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  const aside = `${path}.new`;
  const file = await open(aside, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
  await flushFolder(dirname(path));
}

/** Makes a rename durable: without it a power cut may bring the old file back. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function keptKey(folder: string): Promise<Uint8Array> {
  const path = join(folder, KEY_FILE);
  if (existsSync(path)) {
    const key = new Uint8Array(await readFile(path));
    if (key.length !== 32) throw new SealedStoreError(path);
    await chmod(path, 0o600);
    return key;
  }
  const key = systemRandom().bytes(32);
  // Whole or not there: a key file that a crash left empty would lock its owner out.
  await replaceFile(path, key);
  return key;
}
