/** What only Node has: folders on a disk, signals of a process. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { EnvironmentError } from './errors.ts';

export { abortOnSignals, INTERRUPTED, onShellGone } from './signals.ts';

/**
 * Makes a folder and the ones above it that are missing. One step at a time: Node's own recursive mkdir never returns on file
 * systems that refuse new folders with ENOENT, such as /proc.
 *
 * @param mode permissions of the folders that are made, as for mkdir; 0o777 less the process's mask by default.
 * @throws {EnvironmentError} naming the folder that cannot be made, and why.
 */
export function ensureFolder(path: string, mode = 0o777): void {
  const missing: string[] = [];
  let at = resolve(path);
  while (!isFolder(at)) {
    missing.push(at);
    at = dirname(at);
  }
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode });
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === 'EEXIST' && isFolder(folder)) continue;
      throw new EnvironmentError(`the folder ${folder} cannot be made: ${code ?? message}`, { cause });
    }
  }
}

function isFolder(path: string): boolean {
  let found;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') throw notAFolder(dirname(path), cause);
    throw new EnvironmentError(`${path} cannot be read: ${code ?? message}`, { cause });
  }
  if (found !== undefined && !found.isDirectory()) throw notAFolder(path);
  return found !== undefined;
}

const notAFolder = (path: string, cause?: unknown): EnvironmentError =>
  new EnvironmentError(`${path} is a file; a folder is needed`, { cause });

/** Lock files that this process holds. */
const held = new Set<string>();

/**
 * Holds `folder` for this process, with a file `pid` in it. The hold of a process that is gone is taken over.
 *
 * @param inUse the error for a folder that the living process `pid` holds.
 * @returns how to let it go.
 * @throws what `inUse` gives; {EnvironmentError} if the file cannot be written.
 */
export function holdFolder(folder: string, inUse: (pid: number) => Error): () => void {
  const path = resolve(folder, 'pid');
  for (let tries = 0; ; tries++) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, `${process.pid}\n${markOf(process.pid) ?? ''}`);
      fsyncSync(file);
      closeSync(file);
      held.add(path);
      return () => {
        held.delete(path);
        rmSync(path, { force: true });
      };
    } catch (cause) {
      const holder = holderOf(path);
      if (holder !== undefined && isHolding(path, holder)) throw inUse(holder.pid);
      if (tries > 3) throw new EnvironmentError(`${path} cannot be written`, { cause });
      rmSync(path, { force: true });
    }
  }
}

/** Who a lock file names. */
interface Holder {
  readonly pid: number;
  /** See {@link markOf}; empty where the system does not say. */
  readonly mark: string;
}

function holderOf(path: string): Holder | undefined {
  if (!existsSync(path)) return undefined;
  const [first, mark = ''] = readFileSync(path, 'utf8').split('\n');
  const pid = Number(first);
  return Number.isInteger(pid) && pid > 0 ? { pid, mark } : undefined;
}

function isHolding(path: string, { pid, mark }: Holder): boolean {
  // In a container every run has the same number: our own in the file is another run's, unless we hold it.
  if (pid === process.pid) return held.has(path);
  return isAlive(pid) && (mark === '' || (markOf(pid) ?? mark) === mark);
}

/**
 * What tells a process from a later one that has its number, as after a power cut: which boot it belongs to, and when in it
 * it started (proc(5)). Undefined on systems that do not say.
 */
function markOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name stands in parentheses and may hold anything: behind it the start is the 20th field.
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
