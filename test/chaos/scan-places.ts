import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { freePort, TUTTI } from '../cluster/coordinators.ts';
import { hasEnded } from './leaving.ts';
import { searchMemory, type Finder, type Found } from '../memory/scan.ts';

/** Processes whose memory is read, and folders that are. */

/** Something that can hold bytes: a process of our own, or one of a server. */
export interface Place {
  readonly name: string;
  readonly pids: () => readonly number[];
}

/** A process of a cluster. */
export interface ScannedProcess extends Place {
  readonly url: string;
  readonly child: ChildProcess;
  /** They are somewhere in its memory, in hexadecimal: what does not find them there finds nothing. */
  readonly planted: Uint8Array;
  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void;
}

const START_MS = 60_000;

/** Starts `tutti coordinator` or `tutti worker`. What it says, and what it writes where temporary files go, stays in `folder`. */
export async function startScanned(
  folder: string,
  name: string,
  { command, config }: { readonly command: 'coordinator' | 'worker'; readonly config: object },
): Promise<ScannedProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const home = join(folder, name.replaceAll(' ', '-'));
  mkdirSync(join(home, 'tmp'), { recursive: true });
  writeFileSync(join(home, 'config.json'), JSON.stringify({ ...config, listen: { port } }));
  const said = openSync(join(home, 'said'), 'a');
  const planted = randomBytes(32);
  const child = spawn(process.execPath, [TUTTI, command, '--config', join(home, 'config.json')], {
    cwd: home,
    env: { ...process.env, TMPDIR: join(home, 'tmp'), SCAN_PLANTED: planted.toString('hex') },
    stdio: ['ignore', said, said],
  });
  closeSync(said);
  const isUp = (): Promise<boolean> =>
    command === 'worker'
      ? Promise.resolve(readFileSync(join(home, 'said'), 'utf8').includes('Tutti worker'))
      : fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
          ({ ok }) => ok,
          () => false,
        );
  for (const until = Date.now() + START_MS; !(await isUp());) {
    if (child.exitCode !== null || Date.now() > until)
      throw new Error(`${name} did not start: ${readFileSync(join(home, 'said'), 'utf8').slice(-2_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    ...{ name, url, child, planted, pids: () => (child.pid === undefined ? [] : [child.pid]) },
    signal: (signal) => void child.kill(signal),
  };
}

/** What stands in the memory of a place. */
export const searchPlace = ({ name, pids }: Place, finder: Finder): Found[] =>
  pids()
    .flatMap((pid) => unlessGone(pid, () => searchMemory(pid, finder)) ?? [])
    .map(({ label }) => ({ label, where: name }));

/** What is read of a process; nothing of one that has ended meanwhile, as those of PostgreSQL do. */
function unlessGone<T>(pid: number, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (existsSync(`/proc/${pid}`)) throw error;
    return undefined;
  }
}

/**
 * Has the kernel write cores of this process's children from now on, beside what they work on.
 * @returns in words why it does not.
 */
export function allowCores(): string | undefined {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim();
  if (!pattern.startsWith('core')) return `no cores: the kernel hands them to ${pattern}`;
  const { error, status } = spawnSync('prlimit', ['--pid', `${process.pid}`, '--core=unlimited']);
  return error === undefined && status === 0 ? undefined : 'no cores: prlimit (util-linux) cannot allow them';
}

/** How long a process may take to be dumped, in milliseconds. */
const DUMP_MS = 60_000;
/** How long processes that are stopped may take to stand still, in milliseconds. */
const SETTLE_MS = 500;

/**
 * Ends every process of a place as a crash does, and looks through the cores that the kernel writes of them.
 * @returns what was found, how many cores there were, and of which processes there were none.
 */
export async function searchCores(
  { name, pids }: Place,
  finder: Finder,
): Promise<{ found: Found[]; cores: number; without: readonly string[] }> {
  const found: Found[] = [];
  const without: string[] = [];
  // All at one moment: who sees that another one ended would end as well, without a core.
  const all = pids().filter((pid) => unlessGone(pid, () => process.kill(pid, 'SIGSTOP')));
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  // Some of PostgreSQL's were about to end by themselves.
  const alive = all.filter((pid) => !hasEnded(pid));
  for (const pid of alive) process.kill(pid, 'SIGSYS');
  // Parents last: with them their children go on. A core takes the place of the one before.
  for (const pid of alive.reverse()) {
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    const title = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
    process.kill(pid, 'SIGCONT');
    await untilEnded(pid);
    const cores = readdirSync(folder).filter((entry) => /^core(?:\.\d+)?$/.test(entry));
    if (cores.length === 0) without.push(title);
    for (const file of cores) {
      const core = readFileSync(join(folder, file));
      finder.search(core, ({ label }) => void found.push({ label, where: name }));
      rmSync(join(folder, file));
    }
  }
  return { found, cores: alive.length - without.length, without };
}

async function untilEnded(pid: number): Promise<void> {
  for (const until = Date.now() + DUMP_MS; !hasEnded(pid);) {
    if (Date.now() > until) throw new Error(`process ${pid} did not end`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
