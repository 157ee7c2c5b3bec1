import type { RoundDescription } from '@tutti/protocol';
import type { Attempt } from './attempt-state.ts';
import { unmaskable } from './attempt-view.ts';
import { JOURNAL_VERSION } from './journal.ts';
import { fewestOf } from './noise-plan.ts';
import { budgetedOf, releaseOf } from './release.ts';
import type { TaskParts } from './task-parts.ts';

/** What a release will cost, before it is made. */

/** Whether the noise of the fewest survivors of a described attempt would spend more than the budget. */
export function wouldOverspend(
  { config, log }: Pick<TaskParts, 'config' | 'log'>,
  description: RoundDescription,
): boolean {
  const { accounting } = config.noise;
  if (accounting?.epsilonBudget === undefined) return false;
  const { planned, largestGroup } = description.cohort;
  const fewestInGroup = fewestOf(config, planned);
  const groups = Math.ceil(planned / largestGroup);
  const counted = { fewestInGroup, groups, survivors: fewestInGroup * groups };
  const after = log.epsilonWith(releaseOf(config, description, counted));
  return after !== null && budgetedOf(after, accounting.against) > accounting.epsilonBudget;
}

/** Writes down what unmasking will release, before anyone is asked for a share. */
export async function countUnmasking(
  { config, log }: Pick<TaskParts, 'config' | 'log'>,
  attempt: Attempt,
): Promise<void> {
  const { attempt: number, noise } = attempt.description;
  const counted = unmaskable(attempt, 0);
  // Noise of the coordinator's own is against readers, and they see nothing before the round is committed.
  if (counted === undefined || noise.mechanism !== 'skellam') return;
  const asked = releaseOf(config, attempt.description, counted);
  if (asked === null) return;
  await log.append({ v: JOURNAL_VERSION, type: 'unmask-asked', attempt: number, asked });
}
