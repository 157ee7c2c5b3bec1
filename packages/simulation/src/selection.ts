import { seededRandom } from '@tutti/base';
import type { TaskConfig } from '@tutti/coordination';
import type { ResolvedOptions } from './options.ts';
import type { PrivacyResult } from './report.ts';

/**
 * Who checks in for a draw, from (seed, draw) alone: the cohort, uniformly; everybody where the coordinator itself has to choose, by
 * coins of their own or by how often they were there.
 */
export function drawPeople(
  { poisson, noise }: TaskConfig,
  resolved: Pick<ResolvedOptions, 'seed' | 'cohort'>,
  users: number,
  draw: number,
): number[] {
  const random = seededRandom(resolved.seed).fork('cohort', draw);
  const wanted = poisson === undefined && noise.participation === undefined ? resolved.cohort : users;
  const people = Array.from({ length: users }, (_, user) => user);
  for (let at = 0; at < wanted; at++) {
    const other = at + random.int(users - at);
    [people[at], people[other]] = [people[other] as number, people[at] as number];
  }
  return people.slice(0, wanted);
}

/** What the noise guarantees after the rounds. */
export function privacyResult(
  { noise, poisson, cohort }: TaskConfig,
  epsilon: PrivacyResult['epsilon'] | null,
): PrivacyResult | null {
  if (noise.accounting === undefined || epsilon === null) return null;
  return {
    mechanism: noise.mechanism?.name ?? 'skellam',
    noiseMultiplier: noise.multiplier,
    delta: noise.accounting.dpDelta,
    epsilon,
    sampling: poisson === undefined ? null : (cohort.planned * cohort.overselection) / poisson.population,
    participation: noise.participation ?? null,
  };
}
