import { UsageError } from '@tutti/base';
import { checkCount, checkPositive, checkSampling } from './checks.ts';
import { rdpOf } from './composition.ts';
import { correlatedSensitivity, type CorrelatedNoise, type Participation } from './correlated.ts';

/**
 * One release that users' data went into, accounted with the noise of the survivors there were, less the assumed
 * colluders. `sampling` is q, the chance of being asked, where each user is asked independently and nobody learns who was;
 * null everywhere else: a cohort of fixed size, volunteers, a coordinator that readers may not trust to keep it secret.
 */
export type Release =
  | {
      readonly mechanism: 'gaussian';
      /** z: standard deviation of the sum's noise over C. */
      readonly noiseMultiplier: number;
      readonly sampling: number | null;
      /** The coordinator added the noise, and saw the sum without it: nothing holds against it. */
      readonly trusted?: true;
    }
  | {
      readonly mechanism: 'skellam';
      /** D1 and D2 after rounding, in ring units. */
      readonly l1: number;
      readonly l2: number;
      /** Variance of the noise of the sum that the coordinator sees, that of one group, in squared ring units. */
      readonly variance: number;
      /** The same of what readers see, where that is the sum of several groups. */
      readonly readersVariance?: number;
      readonly sampling: number | null;
    };

/** Rounds whose noise is correlated: one mechanism over all of them, accounted as a whole. */
export interface CorrelatedRelease {
  readonly noise: CorrelatedNoise;
  /** z of each draw: standard deviation over C. */
  readonly noiseMultiplier: number;
  readonly participation: Participation;
  readonly trusted?: true;
}

/** Every release of a task. A plain value: it can be written as JSON and read back. */
export interface Ledger {
  /** Most rounds that one user takes part in, where clients keep to one; null where they do not. */
  readonly participationCap: number | null;
  /** What a round released, and how many rounds released just that. */
  readonly rounds: readonly { readonly releases: readonly Release[]; readonly times: number }[];
  /** What rounds released with correlated noise, and how many of them. */
  readonly correlated: readonly { readonly release: CorrelatedRelease; readonly rounds: number }[];
}

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
