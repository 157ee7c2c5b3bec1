import { canonicalJson, UsageError } from '@tutti/base';
import { drawVariance } from './central-noise.ts';
import { describeAttempt } from './describe.ts';
import type { TaskHistory } from './history.ts';
import { isCorrelated, mechanismOf } from './noise-plan.ts';
import { releaseOf } from './release.ts';
import type { TaskConfig } from './task-config.ts';

/**
 * Checks that a task's correlated noise can go on from its history: later rounds take back what earlier ones added, so all of them
 * need one mechanism, one multiplier and one scale.
 *
 * @throws {UsageError} where it began with other noise, or with none. Another task, or a store of its own, is needed then.
 */
export function checkNoiseHistory(config: TaskConfig, history: TaskHistory): void {
  const before = history.releases.findLast(({ correlated }) => correlated !== null)?.correlated ?? null;
  const correlated = isCorrelated(mechanismOf(config.noise)) && config.noise.multiplier > 0;
  if (history.rounds.length === 0 || (!correlated && before === null)) return;
  const now = plannedNoise(config);
  const drawn = history.noiseDraws.at(-1)?.variance ?? null;
  if (correlated && drawn === now.variance && history.noiseDraws.every((draw) => draw !== undefined)) {
    if (before === null || canonicalJson(before) === canonicalJson(now.correlated)) return;
  }
  throw new UsageError(
    `tasks[${config.name}].noise: ${JSON.stringify(now)}; its first ${history.rounds.length} rounds have ${JSON.stringify({ correlated: before, variance: drawn })}. Noise that is correlated over the rounds cannot change`,
  );
}

/** The noise that the next round would have. */
function plannedNoise(config: TaskConfig): { correlated: unknown; variance: number | null } {
  const zeros = '0'.repeat(64);
  const { planned } = config.cohort;
  const description = describeAttempt(config, {
    ...{ purpose: 'train', round: 1, attempt: 1, planned },
    ...{ previousDigest: zeros, modelHash: zeros, layoutHash: zeros, catalogueHash: zeros },
  });
  const { noise } = description;
  const isDrawn = noise.mechanism === 'tree' || noise.mechanism === 'banded';
  const release = releaseOf(config, description, { survivors: planned, groups: 1, fewestInGroup: planned });
  return {
    correlated: release?.correlated ?? null,
    variance: isDrawn ? drawVariance(description, noise) : null,
  };
}
