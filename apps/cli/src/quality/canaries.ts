import { seededRandom } from '@tutti/base';
import { checkCanaries, type CanaryReport } from '@tutti/evaluation';
import { EXIT } from '../exit-codes.ts';
import { canaryTable, tableLines } from '../ui/quality.ts';
import type { Screen } from '../ui/screen.ts';
import type { Bench } from './measure.ts';
import { trainingSampler } from './sampler.ts';

/** Lets every canary loose on what is measured. They are always on: a figure of an evaluation that they flag does not count. */
export async function runCanaries({ data, train, test }: Bench, screen: Screen): Promise<CanaryReport> {
  screen.step('letting the canaries loose');
  const random = seededRandom('canaries');
  return checkCanaries({ train, test, sampler: trainingSampler(data.items), random });
}

/** What people are told: a line where all passed, otherwise the table, and exit code 1. */
export function canaryLines(report: CanaryReport): string[] {
  if (report.people === 0) return ['canaries: had nobody to judge'];
  if (report.passed) return ['canaries: constant, guess and both leak canaries passed'];
  process.exitCode = EXIT.failed;
  return [
    'A CANARY IS FLAGGED: no figure above counts (docs/evaluating.md says what it means)',
    ...tableLines(canaryTable(report)),
  ];
}

/** Where lists of ten hold every candidate, figures say less than they seem to. */
export function canaryNotes({ people, shortened }: CanaryReport): string[] {
  if (people === 0)
    return [
      'nobody has another candidate than the held-out item: no figure here says anything, and canaries had nobody to judge',
    ];
  if (shortened === 0) return [];
  return [
    `for ${shortened} of ${people} people a list of 10 holds every candidate: HR@10 says nothing of them, and canaries judged a list one short of all`,
  ];
}
