import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { fromHex } from '@tutti/base';
import {
  checkGrowth,
  decodeTreeHead,
  followLog,
  IdentityError,
  jsonLogSource,
  LogMirror,
  type TreeHead,
} from '@tutti/identity';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { CommandError, EXIT } from '../exit-codes.ts';
import { fetchJson } from '../http.ts';

/**
 * Reads an authority's whole log and holds it against its head, and against the head of the last time where there is one. The new
 * head is kept only where everything is as it should be.
 * @throws {CommandError} with exit code 1 for a log that is forged, forked or cut.
 */
export async function verifyLog(options: {
  readonly url: string;
  readonly publicKey: string;
  readonly state?: string;
}): Promise<{ head: TreeHead; before: number | undefined }> {
  const mirror = new LogMirror(fromHex(options.publicKey), nodeCrypto);
  const last = options.state === undefined ? undefined : await lastHead(options.state);
  let head: TreeHead;
  try {
    head = await followLog(
      mirror,
      jsonLogSource(options.url, (url) => fetchJson(url, 'tutti authority serve')),
    );
    if (last !== undefined) {
      const proof = head.size < last.size ? [] : mirror.consistency(last.size, head.size);
      checkGrowth(last, head, proof, nodeCrypto);
    }
  } catch (cause) {
    if (!(cause instanceof IdentityError)) throw cause;
    throw new CommandError(cause.message, EXIT.failed, { cause });
  }
  if (options.state !== undefined) await keepHead(options.state, head);
  return { head, before: last?.size };
}

async function lastHead(file: string): Promise<TreeHead | undefined> {
  if (!existsSync(file)) return undefined;
  try {
    return decodeTreeHead(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new CommandError(`${file} is no tree head: ${(cause as Error).message}`, undefined, { cause });
  }
}

/** Whole or not at all: a torn head would look like no head, and let a fork pass. */
async function keepHead(file: string, head: TreeHead): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(head)}\n`);
  await rename(`${file}.new`, file);
}
