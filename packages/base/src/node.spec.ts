import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnvironmentError } from './errors.ts';
import { ensureFolder, holdFolder } from './node.ts';

describe('ensureFolder', () => {
  let root = '';
  beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'tutti-folder-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  it('makes what is missing, with the permissions asked for, and is content with what is there', () => {
    const folder = join(root, 'a', 'b c', 'd');
    ensureFolder(folder, 0o700);
    ensureFolder(folder);
    expect(statSync(join(root, 'a')).mode & 0o777).toBe(0o700);
    expect(statSync(folder).isDirectory()).toBe(true);
  });

  it('names the file that stands where a folder should', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    for (const path of [file, join(file, 'below')]) {
      expect(() => ensureFolder(path)).toThrow(EnvironmentError);
      expect(() => ensureFolder(path)).toThrow(`${file} is a file; a folder is needed`);
    }
  });

  it.runIf(existsSync('/proc/self'))(
    'refuses at once where nothing can be made, instead of trying for ever',
    () => {
      expect(() => ensureFolder('/proc/tutti-nowhere/below')).toThrow(
        /the folder \/proc\/tutti-nowhere cannot be made: \w+/,
      );
    },
  );
});

describe('holdFolder', () => {
  it('gives a folder to one at a time; the hold of a process that is gone is taken over', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tutti-hold-'));
    const inUse = (pid: number): Error => new Error(`held by ${pid}`);
    const letGo = holdFolder(folder, inUse);
    expect(() => holdFolder(folder, inUse)).toThrow(`held by ${process.pid}`);
    letGo();
    for (const pid of [999_999_999, process.pid]) {
      writeFileSync(join(folder, 'pid'), String(pid));
      holdFolder(folder, inUse)();
    }
    expect(existsSync(join(folder, 'pid'))).toBe(false);
    rmSync(folder, { recursive: true });
    expect(() => holdFolder(folder, inUse)).toThrow('pid cannot be written');
  });

  it.runIf(existsSync('/proc/self/stat'))(
    'takes over from a process whose number a living one has now, as after a power cut',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'tutti-reused-'));
      const path = join(folder, 'pid');
      const inUse = (pid: number): Error => new Error(`held by ${pid}`);
      const letGo = holdFolder(folder, inUse);
      const [pid, mark] = readFileSync(path, 'utf8').split('\n') as [string, string];
      letGo();
      expect(pid).toBe(String(process.pid));
      const [boot, start] = mark.split(' ') as [string, string];
      expect(Number(start)).toBeGreaterThan(0);
      // Our parent lives. What it would have written keeps others out; what an earlier owner of its number wrote does not.
      const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      writeFileSync(path, `${process.ppid}\n${boot} ${stat[19]}`);
      expect(() => holdFolder(folder, inUse)).toThrow(`held by ${process.ppid}`);
      for (const other of [`${boot} 1`, `another-boot ${stat[19]}`]) {
        writeFileSync(path, `${process.ppid}\n${other}`);
        holdFolder(folder, inUse)();
      }
      rmSync(folder, { recursive: true });
    },
  );
});
