import { UsageError } from '@tutti/base';
import { checkCount, checkPositive, checkSampling } from './checks.ts';
import { rdpOf } from './composition.ts';
import { correlatedSensitivity } from './correlated.ts';
import type { CorrelatedRelease, Ledger, Release } from './release.ts';

/**
 * A ledger of nothing.
 * @param options `participationCap`: whole number from 1. Set it only where clients refuse to take part more often.
 * @throws {UsageError} for another cap.
 */
export function createLedger(options: { participationCap?: number } = {}): Ledger {
  const { participationCap = null } = options;
  if (participationCap !== null) checkCount('participation cap', participationCap);
  return { participationCap, rounds: [], correlated: [] };
}

/** A ledger of nothing, without a participation cap. */
export const EMPTY_LEDGER: Ledger = createLedger();

/**
 * The ledger with one round more. The one passed in is not changed.
 *
 * @param released what the round released; several where delta and metric lanes have noise of their own. They were made of the
 *   same cohort, so their sampling is the same. A participation cap counts calls: all that one round released belongs in one
 *   call. A round that ended before any unmask share was answered released nothing and is not recorded.
 * @throws {UsageError} for values that no mechanism can have, or releases of one round that were sampled differently.
 */
export function recordRelease(ledger: Ledger, released: Release | readonly Release[]): Ledger {
  const releases = 'mechanism' in released ? [released] : [...released];
  const [first] = releases;
  if (first === undefined) throw new UsageError('a round without releases; at least one is needed');
  for (const release of releases) {
    checkRelease(release);
    if (release.sampling !== first.sampling)
      throw new UsageError(`releases of one round sampled at ${first.sampling} and at ${release.sampling}`);
  }
  const name = JSON.stringify(releases);
  const at = ledger.rounds.findIndex((round) => JSON.stringify(round.releases) === name);
  const known = ledger.rounds[at];
  if (known === undefined) return { ...ledger, rounds: [...ledger.rounds, { releases, times: 1 }] };
  return { ...ledger, rounds: ledger.rounds.with(at, { ...known, times: known.times + 1 }) };
}

/**
 * The ledger with one round more of a mechanism whose noise is correlated. How often a user takes part is in the release
 * itself; the ledger's cap does not touch it.
 * @throws {UsageError} for values that no mechanism can have.
 */
export function recordCorrelated(ledger: Ledger, release: CorrelatedRelease): Ledger {
  checkPositive('noise multiplier', release.noiseMultiplier);
  correlatedSensitivity(release.noise, 1, release.participation);
  const name = JSON.stringify(release);
  const at = ledger.correlated.findIndex((known) => JSON.stringify(known.release) === name);
  const known = ledger.correlated[at];
  if (known === undefined) return { ...ledger, correlated: [...ledger.correlated, { release, rounds: 1 }] };
  return { ...ledger, correlated: ledger.correlated.with(at, { ...known, rounds: known.rounds + 1 }) };
}

function checkRelease(release: Release): void {
  if (release.sampling !== null) checkSampling(release.sampling);
  rdpOf(release, 'coordinator'); // refuses values outside its ranges
  rdpOf(release, 'readers');
}
