import { changeChannel } from './channel-change.ts';
import { manifestsOf } from './models.ts';
import type { TaskParts } from './task-parts.ts';
import { cohortOfTrial, incumbentOf, judgementOf, trialOf, type Trial } from './trial.ts';
import type { Cohort } from './selection.ts';

/** How models come to channels by themselves: proposed every so many rounds, judged on a part of the devices, promoted or taken back. */

/** Who does it, in the journal and in promotions. */
const POLICY = 'policy';

/** The trial that is going on in a task. */
export const trialIn = ({ config, log, ports }: TaskParts): Trial | undefined =>
  trialOf({
    ...{ task: config.name, policy: config.promotion, history: log.history, crypto: ports.crypto },
  });

/** How far a trial was when the last candidate was due. */
export interface TrialProgress {
  readonly sequence: number;
  readonly looks: number;
}

/**
 * Proposes the model of a round that was just made, where it is one of every so many and no other is being judged: on canary, or straight
 * on stable where there is nothing that it could be judged against. A trial that had no look since the last candidate was due, because too
 * few of those who are asked come together, ends undecided and makes room.
 *
 * @param before what this gave the last time.
 */
export async function propose(
  parts: TaskParts,
  before: TrialProgress | undefined,
): Promise<TrialProgress | undefined> {
  const { config, log, ports } = parts;
  if (config.promotion === undefined || log.history.round % config.promotion.every !== 0) return before;
  const now = progressOf(trialIn(parts));
  if (now !== undefined && (now.sequence !== before?.sequence || now.looks !== before.looks)) return now;
  await settle(parts, { giveUp: true });
  const models = manifestsOf(config.name, log.history, ports.crypto);
  const channel = incumbentOf(log.history, models) === undefined ? 'stable' : 'canary';
  await changeChannel(parts, { channel, model: String(log.history.round), by: POLICY });
  return progressOf(trialIn(parts));
}

const progressOf = (trial: Trial | undefined): TrialProgress | undefined =>
  trial && { sequence: trial.sequence, looks: trial.comparisons.length };

/**
 * Ends the trial that is going on where its looks allow it: the journal has the verdict and what came of it in one entry.
 * @param giveUp ends it all the same: no further look can be paid for.
 */
export async function settle(parts: TaskParts, { giveUp = false } = {}): Promise<void> {
  const trial = trialIn(parts);
  const policy = parts.config.promotion;
  if (trial === undefined || policy === undefined) return;
  const found = judgementOf(trial, policy);
  if (found.verdict === 'continue' && !giveUp) return;
  const verdict = found.verdict === 'continue' ? 'undecided' : found.verdict;
  const judged = { ...found, verdict };
  const action = verdict === 'undecided' ? policy.undecided : verdict;
  const request = { by: POLICY, judged };
  await (action === 'promote'
    ? changeChannel(parts, { ...request, channel: 'stable', model: trial.candidate })
    : changeChannel(parts, { ...request, channel: 'canary', model: null }));
}

/** Who is asked at the next look; undefined where fewer than the smallest cohort of them wait. */
export function cohortForTrial({ config, lobby, ports }: TaskParts, trial: Trial): Cohort | undefined {
  if (config.promotion === undefined) return undefined;
  const clients = cohortOfTrial(trial, config.promotion, lobby.pool, ports);
  return clients.length < config.cohort.smallest ? undefined : { clients, planned: clients.length };
}
