import { UsageError } from '@tutti/base';
import { checkCount, checkDpDelta, checkSampling } from './checks.ts';
import { analyticGaussianEpsilon } from './gaussian.ts';
import {
  DEFAULT_ORDERS,
  gaussianRdp,
  rdpToEpsilon,
  skellamRdp,
  subsampledRdp,
  treeRdp,
  type Rdp,
} from './rdp.ts';

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
    }
  | {
      readonly mechanism: 'skellam';
      /** D1 and D2 after rounding, in ring units, and the variance of the sum's noise in their square. */
      readonly l1: number;
      readonly l2: number;
      readonly variance: number;
      readonly sampling: number | null;
    }
  | {
      readonly mechanism: 'tree';
      /** z of each node. */
      readonly noiseMultiplier: number;
      /** Releases of the whole tree; it is recorded once, and each user takes part in it once. */
      readonly steps: number;
      readonly sampling: null;
    };

/** Every release of a task. A plain value: it can be written as JSON and read back. */
export interface Ledger {
  /** Most rounds that one user takes part in, where clients keep to one; null where they do not. */
  readonly participationCap: number | null;
  /** What a round released, and how many rounds released just that. */
  readonly rounds: readonly { readonly releases: readonly Release[]; readonly times: number }[];
}

/** ε at one δ, from two points of view, always side by side. */
export interface Spent {
  /** Against the coordinator, which sees who took part: nothing is amplified. */
  readonly coordinator: number;
  /** Against readers of the model: amplified; null where sampling is not Poisson and secret. */
  readonly readers: number | null;
}

/**
 * A ledger of nothing.
 * @param options `participationCap`: whole number from 1. Set it only where clients refuse to take part more often.
 * @throws {UsageError} for another cap.
 */
export function createLedger(options: { participationCap?: number } = {}): Ledger {
  const { participationCap = null } = options;
  if (participationCap !== null) checkCount('participation cap', participationCap);
  return { participationCap, rounds: [] };
}

/** A ledger of nothing, without a participation cap. */
export const EMPTY_LEDGER: Ledger = createLedger();

/**
 * The ledger with one round more. The one passed in is not changed.
 *
 * @param released what the round released; several where delta and metric lanes have noise of their own. A participation
 *   cap counts calls: all that one round released belongs in one call. A round that ended before any unmask share was
 *   answered released nothing and is not recorded.
 * @throws {UsageError} for values that no mechanism can have.
 */
export function recordRelease(ledger: Ledger, released: Release | readonly Release[]): Ledger {
  const releases = 'mechanism' in released ? [released] : [...released];
  if (releases.length === 0) throw new UsageError('a round without releases; at least one is needed');
  for (const release of releases) checkRelease(release);
  const name = JSON.stringify(releases);
  const at = ledger.rounds.findIndex((round) => JSON.stringify(round.releases) === name);
  const known = ledger.rounds[at];
  if (known === undefined) return { ...ledger, rounds: [...ledger.rounds, { releases, times: 1 }] };
  return { ...ledger, rounds: ledger.rounds.with(at, { ...known, times: known.times + 1 }) };
}

/**
 * ε at δ of everything in the ledger, 0 for an empty one.
 *
 * Coordinator: RDP over the integer orders, of the costliest `participationCap` rounds at each order; where all releases
 * are Gaussian the exact analytic value, at z/√k for k equal ones. Readers: RDP amplified by Poisson sampling; all rounds
 * count, since amplification already stands for the chance of being in one.
 *
 * @throws {UsageError} unless δ lies in (0, 1).
 */
export function spent(ledger: Ledger, dpDelta: number): Spent {
  checkDpDelta(dpDelta);
  if (ledger.rounds.length === 0) return { coordinator: 0, readers: 0 };
  const sampled = ledger.rounds.every(({ releases }) => releases.every(({ sampling }) => sampling !== null));
  const coordinator =
    gaussianOnly(ledger, dpDelta) ?? epsilonOf(ledger, ledger.participationCap, 'whole', dpDelta);
  // What holds against the coordinator holds against readers too: they see less.
  const readers = sampled ? Math.min(coordinator, epsilonOf(ledger, null, 'amplified', dpDelta)) : null;
  return { coordinator, readers };
}

function checkRelease(release: Release): void {
  if (release.sampling !== null) checkSampling(release.sampling);
  rdpOf(release); // refuses values outside its ranges
}

/** RDP as a table over the default orders. */
type Curve = Float64Array;
type View = 'whole' | 'amplified';

/** Curves by release: a ledger shares its releases with the one it grew from, and amplification is slow to compute. */
const curves: Record<View, WeakMap<Release, Curve>> = { whole: new WeakMap(), amplified: new WeakMap() };

function curveOf(release: Release, view: View): Curve {
  const known = curves[view].get(release);
  if (known !== undefined) return known;
  const whole = rdpOf(release);
  const rdp = view === 'whole' ? whole : subsampledRdp(whole, release.sampling ?? 1);
  const curve = Float64Array.from(DEFAULT_ORDERS, (order) => rdp(order));
  curves[view].set(release, curve);
  return curve;
}

function rdpOf(release: Release): Rdp {
  switch (release.mechanism) {
    case 'gaussian':
      return gaussianRdp(release.noiseMultiplier);
    case 'skellam':
      return skellamRdp(release);
    case 'tree':
      return treeRdp(release.noiseMultiplier, release.steps);
  }
}

function epsilonOf(ledger: Ledger, cap: number | null, view: View, dpDelta: number): number {
  const rounds = ledger.rounds.map(({ releases, times }) => ({
    curves: releases.map((release) => curveOf(release, view)),
    times,
  }));
  const rdp = (order: number): number => {
    const at = order - (DEFAULT_ORDERS[0] ?? 2);
    const costs = rounds.map(({ curves: parts, times }) => ({
      cost: parts.reduce((sum, curve) => sum + (curve[at] as number), 0),
      times,
    }));
    return costliest(costs, cap ?? Number.POSITIVE_INFINITY);
  };
  return rdpToEpsilon(rdp, dpDelta).epsilon;
}

/** The sum of the `most` largest costs. */
function costliest(costs: { cost: number; times: number }[], most: number): number {
  let left = most;
  let sum = 0;
  for (const { cost, times } of costs.sort((a, b) => b.cost - a.cost)) {
    const counted = Math.min(times, left);
    sum += counted * cost;
    left -= counted;
  }
  return sum;
}

/** Gaussian releases compose to one: 1/z² adds up. Undefined where there is another mechanism. */
function gaussianOnly(ledger: Ledger, dpDelta: number): number | undefined {
  const costs: { cost: number; times: number }[] = [];
  for (const { releases, times } of ledger.rounds) {
    let cost = 0;
    for (const release of releases) {
      if (release.mechanism !== 'gaussian') return undefined;
      cost += release.noiseMultiplier ** -2;
    }
    costs.push({ cost, times });
  }
  const precision = costliest(costs, ledger.participationCap ?? Number.POSITIVE_INFINITY);
  return analyticGaussianEpsilon(1 / Math.sqrt(precision), dpDelta);
}
