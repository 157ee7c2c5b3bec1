import { existsSync, statSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { DecodeError, EnvironmentError } from '@tutti/base';
import type { LogStore } from '@tutti/identity';

/** Bytes of an entry: 32 hexadecimal digits and the end of the line. */
const LINE_BYTES = 33;

/**
 * A log of identities in one text file, a client id a line. What a crash tore off in the middle of a line is dropped: it was
 * never acknowledged. A write that fails is taken back, so that the file holds what was acknowledged and nothing else.
 */
export function fileLog(path: string): LogStore {
  let whole = 0;
  let broken: unknown;
  return {
    async *read() {
      const text = existsSync(path) ? await readFile(path, 'latin1') : '';
      whole = text.length - (text.length % LINE_BYTES);
      for (let at = 0; at < whole; at += LINE_BYTES) {
        if (text[at + LINE_BYTES - 1] !== '\n')
          throw new DecodeError(path, `line ${at / LINE_BYTES + 1} is no client id`);
        yield text.slice(at, at + LINE_BYTES - 1);
      }
    },
    async append(clientIds) {
      if (broken !== undefined)
        throw new EnvironmentError(`${path} could not be written before; start again`, { cause: broken });
      const before = whole;
      try {
        await write(path, before, clientIds.map((id) => `${id}\n`).join(''));
        whole = before + clientIds.length * LINE_BYTES;
      } catch (cause) {
        await write(path, before, '').catch(() => (broken = cause));
        throw new EnvironmentError(`${path} cannot be written`, { cause });
      }
    },
  };
}

/** Cuts the file to `length` bytes and adds `text`, on the disk before it resolves. */
async function write(path: string, length: number, text: string): Promise<void> {
  const file = await open(path, existsSync(path) ? 'r+' : 'wx+', 0o600);
  try {
    if (statSync(path).size !== length) await file.truncate(length);
    await file.write(text, length, 'latin1');
    await file.sync();
  } finally {
    await file.close();
  }
}
