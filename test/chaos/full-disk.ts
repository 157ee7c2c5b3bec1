import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coordinatorProcess } from '../cluster/coordinators.ts';
import { filmsTask } from '../cluster/processes.ts';
import { endsOf, resultOf, type HarmResult } from './harm.ts';
import { clientHost } from './hosts.ts';
import { Ledger } from './ledger.ts';

/** A coordinator whose disk is full for a while, on a small file system in memory: it goes on by itself once there is room. */

/** Bytes of the disk. */
const DISK_BYTES = 4 * 2 ** 20;
/** How long it stays full, in milliseconds: some rounds' time. */
const FULL_MS = 3_000;
const CLIENTS = 6;

/** A file system of its own; in words why there can be none here. */
function mountDisk(folder: string): string | undefined {
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'needs root: no file system can be mounted here';
  }
}

/** Takes all the room that there is. */
function fill(disk: string): string {
  const file = join(disk, 'ballast');
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(file, Buffer.alloc(bavail * bsize));
  return file;
}

/** @returns in words what is missing on this machine, where it cannot be run. */
export async function runFullDisk(fullMs = FULL_MS): Promise<HarmResult | string> {
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'tutti-full-disk-'));
  const disk = join(folder, 'disk');
  const missing = mountDisk(disk);
  if (missing !== undefined) {
    rmSync(folder, { recursive: true });
    return missing;
  }
  const ledger = new Ledger();
  const coordinator = await coordinatorProcess(folder, 'coordinator', {
    ...{ store: `lmdb:${join(disk, 'store')}`, tasks: [filmsTask(CLIENTS - 2)] },
  });
  const { url } = coordinator;
  const host = clientHost(folder, url, 0, CLIENTS, ledger);
  try {
    await coordinator.start();
    host.start();
    const isBegun = await ledger.untilRound(url, 2);
    if (!isBegun) throw new Error(`no first rounds: ${coordinator.output()}`);
    const ballast = fill(disk);
    const statuses = await statusesFor(url, fullMs);
    await ledger.look(url);
    rmSync(ballast);
    const before = ledger.rounds;
    const stuck = (await ledger.untilRound(url, before + 2, 30_000)) ? 0 : 1;
    if (stuck > 0) process.stderr.write(coordinator.output());
    const noted = statuses.includes('failed') ? ['told by /readyz while it was full'] : [];
    return await resultOf('full-disk', {
      started,
      url,
      ledger,
      stuck,
      notes: noted,
      reasons: endsOf(ledger),
    });
  } finally {
    await host.kill();
    coordinator.signal('SIGKILL');
    await coordinator.ended();
    execFileSync('umount', ['-l', disk]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How long /readyz may take to tell that it is full, in milliseconds: a round has to end first. */
const TOLD_MS = 20_000;

/** What /readyz says for so long, and until it has said that something failed. */
async function statusesFor(url: string, forMs: number): Promise<string[]> {
  const statuses: string[] = [];
  const begun = Date.now();
  const isOver = (ms: number): boolean => ms > TOLD_MS || (ms > forMs && statuses.includes('failed'));
  while (!isOver(Date.now() - begun)) {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => undefined,
    );
    const body: unknown = await answer?.json().catch(() => undefined);
    if (typeof body === 'object' && body !== null && 'status' in body) statuses.push(String(body.status));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return statuses;
}
