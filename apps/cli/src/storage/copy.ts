import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { EnvironmentError } from '@tutti/base';
import {
  encodeBackup,
  openBackup,
  type StorageItem,
  type StoragePlace,
  type StorageSnapshot,
} from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { CommandError, EXIT } from '../exit-codes.ts';

/** Copies of a storage: into a file, out of one, from one place to another. Each is read back before it counts. */

/** Called with every item that went by. */
export type OnItem = (done: number, total: number) => void;

/** What was copied. */
export interface Copied {
  readonly items: number;
  /** Of the file, or of what is in the items. */
  readonly bytes: number;
}

/**
 * Writes what `place` holds at one instant into `file`, which only its owner may read.
 * @throws {CommandError} if there is such a file already.
 */
export async function backUp(place: StoragePlace, file: string, onItem: OnItem): Promise<Copied> {
  if (await exists(file))
    throw new CommandError(`${file} is there already, and nothing is overwritten; name another file.`);
  const snapshot = await place.snapshot();
  const unfinished = `${file}.unfinished`;
  try {
    await write(
      unfinished,
      encodeBackup(followed(snapshot.items(), snapshot.count, onItem), snapshot.count, nodeCrypto),
    );
    const { size } = await stat(unfinished);
    const backup = await openBackup(createReadStream(unfinished), nodeCrypto);
    let items = 0;
    for await (const _ of backup.items()) items++;
    await rename(unfinished, file);
    return { items, bytes: size };
  } finally {
    await snapshot.close();
    await rm(unfinished, { force: true });
  }
}

/** Puts what a backup holds into an empty `place`. @throws {BackupError} if it is damaged; nothing is in the place then. */
export async function restore(file: string, place: StoragePlace, onItem: OnItem): Promise<Copied> {
  if (!(await exists(file))) throw new CommandError(`There is no file ${file}.`);
  const backup = await openBackup(createReadStream(file), nodeCrypto);
  return fillFrom({ count: backup.count, items: () => backup.items() }, place, onItem);
}

/** Copies what `from` holds into an empty `to`. Nobody may have `from` open, so that nothing is written there which the copy lacks. */
export async function migrate(from: StoragePlace, to: StoragePlace, onItem: OnItem): Promise<Copied> {
  // First what is cheap to find out, and makes no storage where there was none.
  await (await from.snapshot()).close();
  const held = await from.open();
  try {
    const snapshot = await from.snapshot();
    try {
      return await fillFrom(snapshot, to, onItem);
    } finally {
      await snapshot.close();
    }
  } finally {
    await held.close();
  }
}

async function fillFrom(
  source: Pick<StorageSnapshot, 'count' | 'items'>,
  to: StoragePlace,
  onItem: OnItem,
): Promise<Copied> {
  const written = checksum();
  let bytes = 0;
  await to.fill(
    followed(source.items(), source.count, onItem, (item) => {
      written.add(item);
      bytes += item.kind === 'entry' ? JSON.stringify(item.entry).length : item.bytes.length;
    }),
  );
  const found = checksum();
  const snapshot = await to.snapshot();
  try {
    for await (const item of snapshot.items()) found.add(item);
  } finally {
    await snapshot.close();
  }
  if (found.sum() !== written.sum())
    throw new CommandError(
      `${to.name} does not hold what was written to it: do not use it, and look after its disk.`,
      EXIT.failed,
    );
  return { items: written.count(), bytes };
}

async function* followed(
  items: AsyncIterable<StorageItem>,
  total: number,
  onItem: OnItem,
  look: (item: StorageItem) => void = () => undefined,
): AsyncIterable<StorageItem> {
  let done = 0;
  for await (const item of items) {
    look(item);
    yield item;
    onItem(++done, total);
  }
}

/** A checksum over items in whatever order: places sort names in their own ways. */
function checksum(): { add(item: StorageItem): void; count(): number; sum(): string } {
  const digests: string[] = [];
  return {
    add(item) {
      const hash = createHash('sha256');
      if (item.kind === 'entry') hash.update(JSON.stringify([item.task, item.position, item.entry]));
      else
        hash
          .update(JSON.stringify([item.kind, item.kind === 'value' ? item.key : item.hash]))
          .update(item.bytes);
      digests.push(hash.digest('base64'));
    },
    count: () => digests.length,
    sum: () => createHash('sha256').update(digests.sort().join()).digest('hex'),
  };
}

/** Writes a new file, to the disk. @throws {EnvironmentError} */
async function write(file: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await rm(file, { force: true });
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      for await (const chunk of chunks) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) throw cause;
    throw new EnvironmentError(`${file} cannot be written: ${code}`, { cause });
  }
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
