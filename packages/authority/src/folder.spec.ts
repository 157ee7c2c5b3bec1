import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromHex } from '@tutti/base';
import { checkToken, createAuthority } from '@tutti/identity';
import { nodeCrypto as crypto } from '@tutti/secure-aggregation/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuthorityFolderError, AuthorityInUseError } from './errors.ts';
import { fileLog } from './file-log.ts';
import { authorityPublicKey, authoritySecret, initAuthority, openAuthority } from './folder.ts';

const idOf = (number: number): string => number.toString(16).padStart(32, '0');

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'tutti-authority-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("an authority's folder", () => {
  it('holds a key and a secret that only its owner can read, and is not made twice', () => {
    const at = join(folder, 'new');
    const key = initAuthority(at);
    expect(statSync(at).mode & 0o777).toBe(0o700);
    for (const name of ['key', 'secret']) expect(statSync(join(at, name)).mode & 0o777).toBe(0o600);
    expect(authorityPublicKey(at)).toBe(key);
    expect(authoritySecret(at)).toMatch(/^[0-9a-f]{64}$/);
    expect(authoritySecret(at)).not.toBe(readFileSync(join(at, 'key'), 'utf8').trim());
    expect(() => initAuthority(at)).toThrow('is there already; it is not overwritten');
    expect(authorityPublicKey(at)).toBe(key);
  });

  it('enrols over restarts: positions stay, tokens check', async () => {
    const authority = fromHex(initAuthority(folder));
    const first = await openAuthority(folder);
    await first.enrolAll([idOf(1), idOf(2)]);
    const head = first.head();
    await first.close();
    const again = await openAuthority(folder, { days: 2 });
    expect(again.head()).toEqual(head);
    const { token, logIndex } = await again.enrol(idOf(2));
    expect(logIndex).toBe(1);
    const now = Date.now() / 1_000;
    const said = checkToken(token, { clientId: idOf(2), authority, now, crypto });
    expect(said.expiresAt - now).toBeGreaterThan(2 * 86_400 - 60);
    expect(said.expiresAt - now).toBeLessThanOrEqual(2 * 86_400);
    await again.close();
  });

  it('belongs to one process at a time', async () => {
    initAuthority(folder);
    const first = await openAuthority(folder);
    await expect(openAuthority(folder)).rejects.toThrow(AuthorityInUseError);
    await first.close();
    await (await openAuthority(folder)).close();
  });

  it.each<[string, () => void, string]>([
    ['without a key', () => rmSync(join(folder, 'key')), 'make one with: tutti authority init'],
    ['with a damaged key', () => writeFileSync(join(folder, 'key'), 'ab\n'), 'has 1 bytes; 32 are expected'],
    [
      'with a key that is no hexadecimal',
      () => writeFileSync(join(folder, 'key'), 'my dog’s name'),
      'is not lower-case hexadecimal',
    ],
    ['with a key that others can read', () => chmodSync(join(folder, 'key'), 0o640), 'has permissions 640'],
  ])('is refused %s, and let go of', async (_, spoil, message) => {
    initAuthority(folder);
    const kept = readFileSync(join(folder, 'key'));
    spoil();
    await expect(openAuthority(folder)).rejects.toThrow(AuthorityFolderError);
    await expect(openAuthority(folder)).rejects.toThrow(message);
    rmSync(join(folder, 'key'), { force: true });
    writeFileSync(join(folder, 'key'), kept, { mode: 0o600 });
    await (await openAuthority(folder)).close();
  });
});

async function all(entries: ReturnType<ReturnType<typeof fileLog>['read']>): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

describe('the log in a file', () => {
  const path = (): string => join(folder, 'log');
  const read = async (): Promise<string[]> => all(fileLog(path()).read());

  it('drops what a crash tore off, and goes on behind the last whole line', async () => {
    writeFileSync(path(), `${idOf(1)}\n${idOf(2)}\n${idOf(3).slice(0, 20)}`);
    const log = fileLog(path());
    expect(await all(log.read())).toEqual([idOf(1), idOf(2)]);
    await log.append([idOf(4), idOf(5)]);
    expect(readFileSync(path(), 'utf8')).toBe([1, 2, 4, 5].map((number) => `${idOf(number)}\n`).join(''));
    expect(await read()).toEqual([1, 2, 4, 5].map(idOf));
  });

  it('refuses a file that is something else, naming the line', async () => {
    writeFileSync(path(), `${idOf(1)}\n${'x'.repeat(50)}\n`);
    await expect(read()).rejects.toThrow('line 2 is no client id');
    writeFileSync(path(), `${idOf(1)}\n${'x'.repeat(32)}\n`);
    const key = crypto.signKeyPairFromSeed(new Uint8Array(32));
    await expect(createAuthority({ key, crypto, log: fileLog(path()) })).rejects.toThrow('clientId');
  });

  it('takes a failed write back: nobody who was not acknowledged is in it', async () => {
    const log = fileLog(path());
    await all(log.read());
    await log.append([idOf(1)]);
    // Something else wrote behind the log's back: the next write cuts it away.
    appendFileSync(path(), 'half a li');
    await log.append([idOf(2)]);
    expect(await read()).toEqual([idOf(1), idOf(2)]);
    rmSync(folder, { recursive: true });
    await expect(log.append([idOf(3)])).rejects.toThrow('cannot be written');
    await expect(log.append([idOf(3)])).rejects.toThrow('could not be written before; start again');
  });
});
