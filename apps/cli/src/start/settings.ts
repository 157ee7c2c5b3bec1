import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '@tutti/base';
import { ensureFolder } from '@tutti/base/node';
import type { ModelFamily } from '@tutti/model';
import { CommandError } from '../exit-codes.ts';

/** What a federation in a folder was begun with: a second run must ask for the same, or start afresh. */
export interface StartSettings {
  readonly dataset: string | null;
  readonly seed: number;
  readonly people: number;
  readonly model: ModelFamily;
  readonly cohort: number;
  readonly noiseMultiplier: number;
  readonly epsilon: number | null;
  /** δ of the guarantee; null where none is asked for. */
  readonly delta: number | null;
  readonly mechanism: StartMechanism;
  /** Quantile of the updates that the clipping norm follows; null where it is fixed. */
  readonly adaptiveClip: number | null;
}

/** How noise gets onto a sum. */
export const START_MECHANISMS = ['skellam', 'gaussian', 'tree', 'banded'] as const;
export type StartMechanism = (typeof START_MECHANISMS)[number];

const FILE = 'start.json';

/**
 * Makes `folder` ready for a federation with `settings`.
 * @returns whether one with the same settings is there already, and goes on.
 * @throws {CommandError} if the folder holds one with other settings, or something else; both sides are told.
 */
export async function claimFolder(folder: string, settings: StartSettings, fresh: boolean): Promise<boolean> {
  if (fresh) await removeOwn(folder);
  const path = join(folder, FILE);
  if (existsSync(path)) {
    const before = await readFile(path, 'utf8');
    const now = canonicalJson(settings);
    if (before.trim() !== now) {
      throw new CommandError(
        `${folder} holds a federation with other settings.\n  there: ${before.trim()}\n  now:   ${now}\nAsk for the same, or use --fresh to start over.`,
      );
    }
    return true;
  }
  ensureFolder(folder);
  await writeFile(path, `${canonicalJson(settings)}\n`);
  return false;
}

/** Removes what a federation left in `folder`, and nothing else that may lie there. */
async function removeOwn(folder: string): Promise<void> {
  for (const name of [FILE, 'coordinator', 'clients', 'report.html']) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}
