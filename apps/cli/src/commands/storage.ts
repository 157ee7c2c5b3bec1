import type { StoragePlace } from '@tutti/coordination';
import { Command } from 'commander';
import { abortOnSignals } from '../signals.ts';
import { backUp, migrate, restore, type Copied, type OnItem } from '../storage/copy.ts';
import { placeOf } from '../storage/place.ts';
import { bytes, counted, openScreen } from '../ui/screen.ts';

/** `tutti backup`, `tutti restore`, `tutti migrate`: a coordinator's storage, whole. */

/** Where a coordinator keeps everything unless it is told otherwise. */
const DEFAULT_STORE = 'lmdb:./.tutti';

interface Flags {
  readonly json?: boolean;
}

const storeOption = [
  '--store <address>',
  'lmdb:FOLDER or postgres://USER@HOST/DATABASE; or TUTTI_STORE',
] as const;
const jsonOption = ['--json', 'one JSON object on stdout; progress goes to stderr'] as const;

const storeOf = (flag: string | undefined): string => flag ?? process.env['TUTTI_STORE'] ?? DEFAULT_STORE;

export function backupCommand(): Command {
  return new Command('backup')
    .description('write all that a coordinator keeps into a file')
    .argument('<file>', 'a new file; only you will be able to read it, for the coordinator’s keys are in it')
    .option(...storeOption)
    .option(...jsonOption)
    .addHelpText(
      'after',
      `
Examples:
  tutti backup tutti.backup --store lmdb:./.tutti       also while the coordinator runs
  TUTTI_STORE=postgres://tutti@db/tutti tutti backup tutti.backup

It holds what there was at one instant, is read back before it gets its name, and goes into any kind of store (tutti restore).`,
    )
    .action(async (file: string, flags: Flags & { store?: string }) => {
      const place = await placeOf(storeOf(flags.store));
      await run(flags, 'backing up', async (onItem) => ({
        copied: await backUp(place, file, onItem),
        said: `${place.name} is in ${file}`,
        facts: { file, store: place.name },
      }));
    });
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('put a backup into an empty store')
    .argument('<file>', 'what tutti backup wrote')
    .option(...storeOption)
    .option(...jsonOption)
    .addHelpText(
      'after',
      `
Examples:
  tutti restore tutti.backup --store lmdb:./.tutti
  tutti restore tutti.backup --store postgres://tutti@db/tutti

All of it, or nothing where the file was changed or cut off. Run one coordinator with what is in a backup, never two.`,
    )
    .action(async (file: string, flags: Flags & { store?: string }) => {
      const place = await placeOf(storeOf(flags.store));
      await run(flags, 'restoring', async (onItem) => ({
        copied: await restore(file, place, onItem),
        said: `${file} is in ${place.name}`,
        facts: { file, store: place.name },
      }));
    });
}

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('copy a coordinator’s store into an empty one of another kind')
    .requiredOption('--from <address>', 'where it is; its coordinator is stopped')
    .requiredOption('--to <address>', 'where it shall be: an empty folder, or an empty database')
    .option(...jsonOption)
    .addHelpText(
      'after',
      `
Examples:
  tutti migrate --from lmdb:./.tutti --to postgres://tutti@db/tutti
  tutti migrate --from postgres://tutti@db/tutti --to lmdb:./.tutti

All of it, or nothing. What is copied stays where it was too: start the coordinator on the new store, and never one on each.`,
    )
    .action(async (flags: Flags & { from: string; to: string }) => {
      const places: [StoragePlace, StoragePlace] = [await placeOf(flags.from), await placeOf(flags.to)];
      const [from, to] = places;
      await run(flags, 'copying', async (onItem) => ({
        copied: await migrate(from, to, onItem),
        said: `all of ${from.name} is in ${to.name}`,
        facts: { from: from.name, to: to.name },
      }));
    });
}

/** Does the copying under a bar, and says what came of it. */
async function run(
  { json }: Flags,
  doing: string,
  work: (
    onItem: OnItem,
  ) => Promise<{ copied: Copied; said: string; facts: Readonly<Record<string, string>> }>,
): Promise<void> {
  const signal = abortOnSignals();
  const screen = openScreen(process.stderr);
  const begun = performance.now();
  screen.step(doing);
  const show = (done: number, total: number): void => {
    // What was begun is undone on the way out.
    signal.throwIfAborted();
    screen.progress(done, total, `${doing} ${done}/${total}`);
  };
  try {
    const { copied, said, facts } = await work(show);
    const seconds = (performance.now() - begun) / 1_000;
    screen.finish();
    if (json === true) process.stdout.write(`${JSON.stringify({ ...facts, ...copied, seconds })}\n`);
    else
      process.stdout.write(
        `${said}: ${counted(copied.items, 'item')}, ${bytes(copied.bytes)}, checked, ${seconds.toFixed(1)} s\n`,
      );
  } finally {
    screen.finish();
  }
}
