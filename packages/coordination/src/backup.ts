import { concatBytes, equalBytes, FederatedError, toHex, utf8 } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { decodeJournalEntry } from './journal.ts';
import { blobHash } from './ports.ts';
import type { StorageItem } from './storage.ts';

/**
 * A backup as bytes: `TUTTIBK1`, then one record an item, then a record that ends it. A record is two lengths (32-bit, little-endian), a
 * header as JSON, and bytes. Each record's digest covers the one before, and the last one stands in the end: nothing can be
 * missing, changed or in another order without being seen.
 */

const MAGIC = utf8('TUTTIBK1');
const LENGTHS = 8;

/** Longest header, in bytes: a journal entry is in it. */
const LONGEST_HEADER = 2 ** 26;
/** Longest blob, in bytes. */
const LONGEST_BYTES = 2 ** 31 - 1;
const NOTHING = new Uint8Array(0);

/** A backup that is cut off, changed, or none. */
export class BackupError extends FederatedError {
  override readonly name = 'BackupError';
  readonly code = 'storage/bad-backup';
  readonly fault = 'caller' as const;
  constructor(problem: string, options?: ErrorOptions) {
    super(`the backup ${problem}; nothing was restored from it`, options);
  }
}

/** The bytes of a backup with these items. `count` is written first, so that a reader can say how far it is. */
export async function* encodeBackup(
  items: AsyncIterable<StorageItem>,
  count: number,
  crypto: CryptoSuite,
): AsyncIterable<Uint8Array> {
  let chain = crypto.digest('backup', MAGIC);
  const record = (header: unknown, bytes: Uint8Array): Uint8Array => {
    const made = recordOf(header, bytes);
    chain = crypto.digest('backup', chain, made);
    return made;
  };
  yield MAGIC;
  yield record({ kind: 'backup', items: count }, NOTHING);
  let written = 0;
  for await (const item of items) {
    written++;
    if (item.kind === 'entry') yield record(item, NOTHING);
    else if (item.kind === 'value') yield record({ kind: item.kind, key: item.key }, item.bytes);
    else yield record({ kind: item.kind, hash: item.hash }, item.bytes);
  }
  yield recordOf({ kind: 'end', items: written, digest: toHex(chain) }, NOTHING);
}

/** A backup that is being read. */
export interface OpenedBackup {
  readonly count: number;
  /** The items; throws at its end if the whole is not what was written. */
  items(): AsyncIterable<StorageItem>;
}

/** Reads a backup's beginning. @throws {BackupError} if it is none. */
export async function openBackup(
  chunks: AsyncIterable<Uint8Array>,
  crypto: CryptoSuite,
): Promise<OpenedBackup> {
  const bytes = new Reader(chunks);
  const magic = await bytes.take(MAGIC.length);
  if (!equalBytes(magic, MAGIC)) throw new BackupError('is not one that tutti backup wrote');
  const first = await nextRecord(bytes);
  const count = first.header['items'];
  if (first.header['kind'] !== 'backup' || typeof count !== 'number')
    throw new BackupError('does not say what is in it');
  const chain = crypto.digest('backup', crypto.digest('backup', MAGIC), first.whole);
  return { count, items: () => itemsOf(bytes, chain, crypto) };
}

async function* itemsOf(bytes: Reader, first: Uint8Array, crypto: CryptoSuite): AsyncIterable<StorageItem> {
  let chain = first;
  for (let read = 0; ; read++) {
    const { header, body, whole } = await nextRecord(bytes);
    if (header['kind'] !== 'end') {
      yield itemOf(header, body, crypto);
      chain = crypto.digest('backup', chain, whole);
      continue;
    }
    if (header['digest'] !== toHex(chain) || header['items'] !== read)
      throw new BackupError('was changed: its checksum does not fit');
    if (!(await bytes.isOver())) throw new BackupError('goes on behind its end');
    return;
  }
}

function itemOf(
  header: Readonly<Record<string, unknown>>,
  bytes: Uint8Array,
  crypto: CryptoSuite,
): StorageItem {
  const { kind, task, position, entry, key, hash } = header;
  if (kind === 'entry' && typeof task === 'string' && typeof position === 'number')
    return { kind, task, position, entry: decoded(entry) };
  if (kind === 'value' && typeof key === 'string') return { kind, key, bytes };
  if (kind === 'blob' && typeof hash === 'string') {
    if (blobHash(bytes, crypto) !== hash) throw new BackupError(`was changed: blob ${hash} is another`);
    return { kind, hash, bytes };
  }
  throw new BackupError('is damaged, or of a newer version: it holds something unknown');
}

function decoded(entry: unknown): (StorageItem & { kind: 'entry' })['entry'] {
  try {
    return decodeJournalEntry(entry);
  } catch (cause) {
    throw new BackupError('is damaged, or of a newer version: it holds an unknown journal entry', { cause });
  }
}

function recordOf(header: unknown, bytes: Uint8Array): Uint8Array {
  const text = utf8(JSON.stringify(header));
  const lengths = new Uint8Array(LENGTHS);
  const view = new DataView(lengths.buffer);
  view.setUint32(0, text.length, true);
  view.setUint32(4, bytes.length, true);
  return concatBytes(lengths, text, bytes);
}

interface BackupRecord {
  readonly header: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
  readonly whole: Uint8Array;
}

async function nextRecord(bytes: Reader): Promise<BackupRecord> {
  const lengths = await bytes.take(LENGTHS);
  const view = new DataView(lengths.buffer, lengths.byteOffset);
  const [headerBytes, bodyBytes] = [view.getUint32(0, true), view.getUint32(4, true)];
  if (headerBytes > LONGEST_HEADER || bodyBytes > LONGEST_BYTES)
    throw new BackupError('was changed: a length in it is impossible');
  const rest = await bytes.take(headerBytes + bodyBytes);
  const header = parsed(rest.subarray(0, headerBytes));
  return { header, body: rest.subarray(headerBytes), whole: concatBytes(lengths, rest) };
}

function parsed(text: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch (cause) {
    throw new BackupError('was changed: a header in it is not JSON', { cause });
  }
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  throw new BackupError('was changed: a header in it is no object');
}

/** Takes exact lengths from chunks of any. */
class Reader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array[] = [];
  #size = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `length` bytes. @throws {BackupError} if there are fewer. */
  async take(length: number): Promise<Uint8Array> {
    while (this.#size < length) if (!(await this.#fetch())) throw new BackupError('is cut off');
    const taken = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const [first, ...rest] = this.#held as [Uint8Array, ...Uint8Array[]];
      const part = first.subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      this.#held = part.length === first.length ? rest : [first.subarray(part.length), ...rest];
    }
    this.#size -= length;
    return taken;
  }

  async isOver(): Promise<boolean> {
    return this.#size === 0 && !(await this.#fetch());
  }

  async #fetch(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    if (next.value.length > 0) this.#held.push(next.value);
    this.#size += next.value.length;
    return true;
  }
}
