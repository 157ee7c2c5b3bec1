import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onShellGone } from '@tutti/base/node';
import { memoryFoldersOf } from '@tutti/storage-postgres/testing';

/**
 * A run leaves nothing behind, however it ends: by itself, by an error, or by a signal in the middle of anything. What has to be undone is
 * found, not told, since a signal may come while something starts: every process below this one, and all that stands in the folder which this
 * run has for its temporary files.
 */

/** What ends a run before its time, and the exit code then. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** How long killed processes may take to be gone, in milliseconds. */
const GONE_MS = 10_000;

/**
 * From now on, temporary files of this process, and of those that it starts, go to a folder of this run's own; when the process ends, the
 * others are killed and everything is removed. All of it happens without a break: nothing of the run goes on meanwhile.
 */
export function leaveNothing(): void {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-run-'));
  // PostgreSQL runs as a user of its own, and has a folder in it.
  chmodSync(folder, 0o711);
  process.env['TMPDIR'] = folder;
  process.on('exit', () => {
    killAllBelow();
    for (const undo of undos.splice(0).reverse()) tell(undo);
    for (const at of [folder, ...memoryFoldersOf(process.pid)]) tell(() => removeFolder(at));
  });
  for (const [signal, code] of Object.entries(SIGNALS)) process.on(signal, () => process.exit(code));
  onShellGone(() => process.exit(SIGNALS.SIGTERM));
}

const undos: (() => void)[] = [];

/** Has something undone when this process ends, that no process and no file is. */
export function undoAtEnd(undo: () => void): void {
  undos.push(undo);
}

/** A process and those that it started, and so on. */
export function familyOf(pid: number): number[] {
  const children = readIfThere(`/proc/${pid}/task/${pid}/children`) ?? '';
  return [pid, ...children.trim().split(' ').filter(Boolean).map(Number).flatMap(familyOf)];
}

/** Whether a process has ended; its parent may not have looked yet. */
export function hasEnded(pid: number): boolean {
  const status = readIfThere(`/proc/${pid}/status`);
  return status === undefined || /^State:\s+[ZX]/m.test(status);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/** Kills until nobody lives: who was about to start another one may have done so. */
function killAllBelow(): void {
  const known = new Set<number>();
  for (const until = Date.now() + GONE_MS; Date.now() < until;) {
    for (const pid of familyOf(process.pid).slice(1)) known.add(pid);
    const alive = [...known].filter((pid) => !hasEnded(pid));
    if (alive.length === 0) return;
    for (const pid of alive) kill(pid);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  process.stderr.write(`still there: processes ${[...known].filter((pid) => !hasEnded(pid)).join(', ')}\n`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

/** What cannot be undone is told, and keeps nothing else. */
function tell(undo: () => void): void {
  try {
    undo();
  } catch (error) {
    process.stderr.write(`left behind: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function removeFolder(folder: string): void {
  const mounts = readIfThere('/proc/mounts') ?? '';
  for (const [, at = ''] of mounts.split('\n').map((line) => line.split(' ')))
    if (at.startsWith(`${folder}/`)) execFileSync('umount', ['-l', at]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
