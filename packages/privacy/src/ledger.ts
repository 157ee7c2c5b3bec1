import { UsageError } from '@tutti/base';
import { checkCount, checkDpDelta, checkPositive, checkSampling } from './checks.ts';
import { correlatedSensitivity, type CorrelatedNoise, type Participation } from './correlated.ts';
import { analyticGaussianEpsilon } from './gaussian.ts';
import { pldEpsilon } from './pld.ts';
import { DEFAULT_ORDERS, gaussianRdp, rdpToEpsilon, skellamRdp, subsampledRdp, type Rdp } from './rdp.ts';

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

/** ε at one δ, from two points of view, always side by side. */
export interface Spent {
  /** Against the coordinator, which sees who took part: nothing is amplified. null where it adds the noise and is trusted. */
  readonly coordinator: number | null;
  /** Against readers of the model: amplified where sampling is Poisson and secret; the noise of all groups counts. */
  readonly readers: number;
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

/**
 * ε at δ of everything in the ledger, 0 for an empty one.
 *
 * Coordinator: RDP over the integer orders, of the costliest `participationCap` rounds at each order; where all releases
 * are Gaussian the exact analytic value, at z/√k for k equal ones. Readers: the same with the noise of all groups, or RDP
 * amplified by Poisson sampling where that is less (the PLD, where the rounds are equal and Gaussian); there all rounds count,
 * since amplification already stands for the chance of being in one.
 *
 * @throws {UsageError} unless δ lies in (0, 1).
 */
export function spent(ledger: Ledger, dpDelta: number): Spent {
  checkDpDelta(dpDelta);
  const { rounds, correlated } = ledger;
  if (rounds.length === 0 && correlated.length === 0) return { coordinator: 0, readers: 0 };
  const gaussian = gaussianOnly(ledger, dpDelta);
  const whole = (view: View): number => gaussian ?? epsilonOf(ledger, view, dpDelta);
  const sampled =
    correlated.length === 0 &&
    rounds.every(({ releases }) => releases.every(({ sampling }) => sampling !== null));
  const readers = whole('readers');
  return {
    coordinator: isTrusted(ledger) ? null : whole('coordinator'),
    readers: sampled ? Math.min(readers, amplified(ledger, dpDelta)) : readers,
  };
}

const isTrusted = ({ rounds, correlated }: Ledger): boolean =>
  rounds.some(({ releases }) => releases.some((release) => 'trusted' in release)) ||
  correlated.some(({ release }) => release.trusted === true);

function checkRelease(release: Release): void {
  if (release.sampling !== null) checkSampling(release.sampling);
  rdpOf(release, 'coordinator'); // refuses values outside its ranges
  rdpOf(release, 'readers');
}

/** RDP as a table over the default orders. */
type Curve = Float64Array;
type View = 'coordinator' | 'readers' | 'amplified';
type Round = readonly Release[];

/** Curves by round: a ledger shares its rounds with the one it grew from, and amplification is slow to compute. */
const curves: Record<View, WeakMap<Round, Curve>> = {
  coordinator: new WeakMap(),
  readers: new WeakMap(),
  amplified: new WeakMap(),
};

/** What a round costs: its releases together, amplified as the one mechanism that they are, since they share one sample. */
function curveOf(round: Round, view: View): Curve {
  const known = curves[view].get(round);
  if (known !== undefined) return known;
  const parts = round.map((release) => rdpOf(release, view));
  const whole: Rdp = (order) => parts.reduce((sum, rdp) => sum + rdp(order), 0);
  const rdp = view === 'amplified' ? subsampledRdp(whole, round[0]?.sampling ?? 1) : whole;
  const curve = Float64Array.from(DEFAULT_ORDERS, (order) => rdp(order));
  curves[view].set(round, curve);
  return curve;
}

function rdpOf(release: Release, view: View): Rdp {
  switch (release.mechanism) {
    case 'gaussian':
      return gaussianRdp(release.noiseMultiplier);
    case 'skellam': {
      const { l1, l2, variance, readersVariance = variance } = release;
      return skellamRdp({ l1, l2, variance: view === 'coordinator' ? variance : readersVariance });
    }
  }
}

function epsilonOf(ledger: Ledger, view: View, dpDelta: number): number {
  const cap = view === 'amplified' ? null : ledger.participationCap;
  const rounds = ledger.rounds.map(({ releases, times }) => ({ curve: curveOf(releases, view), times }));
  const precision = correlatedPrecision(ledger);
  const rdp = (order: number): number => {
    const at = order - (DEFAULT_ORDERS[0] ?? 2);
    const costs = rounds.map(({ curve, times }) => ({ cost: curve[at] as number, times }));
    return costliest(costs, cap ?? Number.POSITIVE_INFINITY) + (order * precision) / 2;
  };
  return rdpToEpsilon(rdp, dpDelta).epsilon;
}

function amplified(ledger: Ledger, dpDelta: number): number {
  const byRdp = epsilonOf(ledger, 'amplified', dpDelta);
  const [only, other] = ledger.rounds;
  const precision = only === undefined ? undefined : gaussianPrecision(only.releases);
  const sampling = only?.releases[0]?.sampling ?? null;
  if (only === undefined || other !== undefined || precision === undefined || sampling === null) return byRdp;
  const noiseMultiplier = 1 / Math.sqrt(precision);
  return Math.min(byRdp, pldEpsilon({ noiseMultiplier, sampling, rounds: only.times }, dpDelta));
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
    const cost = gaussianPrecision(releases);
    if (cost === undefined) return undefined;
    costs.push({ cost, times });
  }
  const independent = costliest(costs, ledger.participationCap ?? Number.POSITIVE_INFINITY);
  return analyticGaussianEpsilon(1 / Math.sqrt(independent + correlatedPrecision(ledger)), dpDelta);
}

/** Σ 1/z² over the releases of a round; undefined where one is not Gaussian. */
function gaussianPrecision(releases: Round): number | undefined {
  let precision = 0;
  for (const release of releases) {
    if (release.mechanism !== 'gaussian') return undefined;
    precision += release.noiseMultiplier ** -2;
  }
  return precision;
}

/** Σ (sensitivity/z)² over what was released with correlated noise: each is one Gaussian release. */
const correlatedPrecision = ({ correlated }: Ledger): number =>
  correlated.reduce((sum, { release: { noise, noiseMultiplier, participation }, rounds }) => {
    const sensitivity = correlatedSensitivity(noise, rounds, participation);
    return sum + (sensitivity / noiseMultiplier) ** 2;
  }, 0);
