import type { RoundRecord } from '@tutti/coordination';
import type { Command } from 'commander';
import { ask } from '../admin/ask.ts';
import { adminCommand, type AdminFlags } from '../admin/options.ts';
import { wholeNumber } from '../parse.ts';
import { reportOf } from '../start/round-line.ts';
import { roundCells, roundColumns } from '../ui/rounds.ts';
import { cellsLine, headingLine } from '../ui/table.ts';

/** Most rounds that one request is answered with. */
const PAGE = 1_000;

interface RoundsFlags extends AdminFlags {
  readonly from?: number;
  readonly limit: number;
}

export function roundsCommand(): Command {
  return adminCommand('rounds', 'the rounds that a task made')
    .argument('<task>', 'its name')
    .option('--from <n>', 'the first round; without it, the newest', wholeNumber(1))
    .option('--limit <n>', 'how many', wholeNumber(1), 20)
    .addHelpText(
      'after',
      `
Examples:
  tutti rounds films
  tutti rounds films --from 1 --limit 100000 --json    { rounds: [{ round, cohort, reported, epsilon, metrics, … }] }`,
    )
    .action(async (task: string, flags: RoundsFlags) => {
      const rounds = await roundsOf(task, flags);
      if (flags.json === true) return void process.stdout.write(`${JSON.stringify({ rounds })}\n`);
      const columns = roundColumns();
      const lines = rounds.map((record) =>
        cellsLine(columns, roundCells(reportOf({ type: 'committed', task, record }))),
      );
      process.stdout.write(`${[headingLine(columns), ...lines].join('\n')}\n`);
    });
}

/** Page by page, from the first that is wanted. */
async function roundsOf(task: string, flags: RoundsFlags): Promise<RoundRecord[]> {
  const path = `/tasks/${encodeURIComponent(task)}`;
  const { round } = (await ask({ ...flags, path })) as { round: number };
  const rounds: RoundRecord[] = [];
  let from: number | null = flags.from ?? Math.max(1, round - flags.limit + 1);
  while (from !== null && rounds.length < flags.limit) {
    const limit = Math.min(PAGE, flags.limit - rounds.length);
    const page = (await ask({ ...flags, path: `${path}/rounds?from=${from}&limit=${limit}` })) as {
      rounds: RoundRecord[];
      next: number | null;
    };
    rounds.push(...page.rounds);
    from = page.next;
  }
  return rounds;
}
