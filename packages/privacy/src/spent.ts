import { checkDpDelta } from './checks.ts';
import {
  composedEpsilon,
  gaussianPrecision,
  keptCurves,
  roundRdp,
  unamplifiedEpsilon,
} from './composition.ts';
import { pldEpsilon } from './pld.ts';
import { subsampledRdp } from './rdp.ts';
import type { Ledger } from './release.ts';

/** ε at one δ, from two points of view, always side by side. */
export interface Spent {
  /** Against the coordinator, which sees who took part: nothing is amplified. null where it adds the noise and is trusted. */
  readonly coordinator: number | null;
  /** Against readers of the model: amplified where sampling is Poisson and secret; the noise of all groups counts. */
  readonly readers: number;
}

/**
 * ε at δ of everything in the ledger, 0 for an empty one.
 *
 * Coordinator: {@link unamplifiedEpsilon}. Readers: the same with the noise of all groups, or RDP
 * amplified by Poisson sampling where that is less (the PLD, where the rounds are equal and Gaussian); there all rounds count,
 * since amplification already stands for the chance of being in one.
 *
 * @throws {UsageError} unless δ lies in (0, 1).
 */
export function spent(ledger: Ledger, dpDelta: number): Spent {
  checkDpDelta(dpDelta);
  const { rounds, correlated } = ledger;
  if (rounds.length === 0 && correlated.length === 0) return { coordinator: 0, readers: 0 };
  const sampled =
    correlated.length === 0 &&
    rounds.every(({ releases }) => releases.every(({ sampling }) => sampling !== null));
  const readers = unamplifiedEpsilon(ledger, dpDelta);
  return {
    coordinator: isTrusted(ledger) ? null : unamplifiedEpsilon(ledger, dpDelta, 'coordinator'),
    readers: sampled ? Math.min(readers, amplified(ledger, dpDelta)) : readers,
  };
}

const isTrusted = ({ rounds, correlated }: Ledger): boolean =>
  rounds.some(({ releases }) => releases.some((release) => 'trusted' in release)) ||
  correlated.some(({ release }) => release.trusted === true);

/** A round's releases are amplified as the one mechanism that they are, since they share one sample. */
const amplifiedCurve = keptCurves((round) =>
  subsampledRdp(roundRdp(round, 'readers'), round[0]?.sampling ?? 1),
);

function amplified(ledger: Ledger, dpDelta: number): number {
  const byRdp = composedEpsilon(ledger, amplifiedCurve, Number.POSITIVE_INFINITY, dpDelta);
  const [only, other] = ledger.rounds;
  const precision = only === undefined ? undefined : gaussianPrecision(only.releases);
  const sampling = only?.releases[0]?.sampling ?? null;
  if (only === undefined || other !== undefined || precision === undefined || sampling === null) return byRdp;
  const noiseMultiplier = 1 / Math.sqrt(precision);
  return Math.min(byRdp, pldEpsilon({ noiseMultiplier, sampling, rounds: only.times }, dpDelta));
}
