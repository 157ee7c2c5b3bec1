import type { RecordedAttempt } from './attempt.ts';
import type { PersonDelta } from './people.ts';
import { DEVIATIONS, FALSE_ALARM } from './statistics.ts';
import { defended, type AttackResult } from './types.ts';

/**
 * Whether devices of a real round added the noise that its description accounts: everybody's delta is taken from the sum that the
 * round published, and what is left is noise. Its variance must not be below what was described.
 */
export function roundNoise(
  { clients, description, meanDelta }: RecordedAttempt,
  people: readonly PersonDelta[],
): AttackResult[] {
  if (description?.noise.mechanism !== 'skellam' || meanDelta === undefined) return [];
  const { scale, noise } = description;
  const deltaOf = new Map(people.map(({ user, delta }) => [user, delta]));
  const deltas = clients.flatMap(({ user }) => deltaOf.get(user) ?? []);
  let squares = 0;
  for (let lane = 0; lane < meanDelta.length; lane++) {
    let left = (meanDelta[lane] as number) * deltas.length;
    for (const delta of deltas) left -= delta[lane] as number;
    squares += (left * scale.delta) ** 2;
  }
  const variance = squares / meanDelta.length;
  const described = noise.deltaVariance * deltas.length;
  // A sum of n squares of (nearly) normal values strays by √(2/n) of itself.
  const error = DEVIATIONS * Math.sqrt(2 / meanDelta.length);
  return [
    defended({
      name: 'devices that leave out their part of the noise',
      defence: 'each device draws its own',
      statistic: `described over observed variance in ${meanDelta.length} lanes of a real round of ${deltas.length}; false alarms below ${FALSE_ALARM}`,
      value: described / variance,
      bound: 1 + error,
      interval: [described / variance - error, described / variance + error],
    }),
  ];
}
