import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { MOST_AT_ONCE, type Authority, type Enrolment } from '@tutti/identity';
import { CommandError } from '../exit-codes.ts';

/** Client ids of a file, one a line; `-` is stdin. Empty lines are skipped. @throws {CommandError} naming the line. */
export async function clientIdsFrom(file: string): Promise<string[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  const ids: string[] = [];
  let number = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number++;
      const id = line.trim();
      if (id === '') continue;
      if (!/^[0-9a-f]{32}$/.test(id))
        throw new CommandError(`${file}, line ${number}: 32 lower-case hexadecimal digits are expected`);
      ids.push(id);
    }
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    throw new CommandError(`${file} cannot be read: ${(cause as Error).message}`, undefined, { cause });
  }
  return ids;
}

/** Enrols any number of clients, a bounded part at a time. */
export async function enrolInBatches(authority: Authority, ids: readonly string[]): Promise<Enrolment[]> {
  const enrolments: Enrolment[] = [];
  for (let at = 0; at < ids.length; at += MOST_AT_ONCE)
    enrolments.push(...(await authority.enrolAll(ids.slice(at, at + MOST_AT_ONCE))));
  return enrolments;
}
