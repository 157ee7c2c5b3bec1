import { correlatedSensitivity } from './correlated.ts';
import { checkDpDelta } from './checks.ts';
import { analyticGaussianEpsilon } from './gaussian.ts';
import { DEFAULT_ORDERS, gaussianRdp, rdpToEpsilon, skellamRdp, type Rdp } from './rdp.ts';
import type { Ledger, Release } from './release.ts';

/** Against whom: the coordinator sees the sum of one group, readers that of all groups. */
export type View = 'coordinator' | 'readers';

/** What a round released. */
export type Round = readonly Release[];

/** RDP as a table over the default orders. */
export type Curve = Float64Array;

/**
 * ε at δ of everything in the ledger where nothing is amplified, 0 for an empty one: RDP over the integer orders, of the costliest
 * `participationCap` rounds at each order; where all releases are Gaussian the exact analytic value, at z/√k for k equal ones.
 *
 * A device counts itself by it: who sees a device come knows that it was in the round.
 * @throws {UsageError} unless δ lies in (0, 1).
 */
export function unamplifiedEpsilon(ledger: Ledger, dpDelta: number, view: View = 'readers'): number {
  checkDpDelta(dpDelta);
  if (ledger.rounds.length === 0 && ledger.correlated.length === 0) return 0;
  const most = ledger.participationCap ?? Number.POSITIVE_INFINITY;
  return gaussianOnly(ledger, dpDelta) ?? composedEpsilon(ledger, CURVES[view], most, dpDelta);
}

/** What one release costs. @throws {UsageError} for values outside its mechanism's ranges. */
export function rdpOf(release: Release, view: View): Rdp {
  switch (release.mechanism) {
    case 'gaussian':
      return gaussianRdp(release.noiseMultiplier);
    case 'skellam': {
      const { l1, l2, variance, readersVariance = variance } = release;
      return skellamRdp({ l1, l2, variance: view === 'coordinator' ? variance : readersVariance });
    }
  }
}

/** What a round costs: its releases together. */
export function roundRdp(round: Round, view: View): Rdp {
  const parts = round.map((release) => rdpOf(release, view));
  return (order) => parts.reduce((sum, rdp) => sum + rdp(order), 0);
}

/** Curves by round: a ledger shares its rounds with the one it grew from, and some are slow to compute. */
export function keptCurves(rdpOfRound: (round: Round) => Rdp): (round: Round) => Curve {
  const kept = new WeakMap<Round, Curve>();
  return (round) => {
    const known = kept.get(round);
    if (known !== undefined) return known;
    const rdp = rdpOfRound(round);
    const curve = Float64Array.from(DEFAULT_ORDERS, (order) => rdp(order));
    kept.set(round, curve);
    return curve;
  };
}

const CURVES: Record<View, (round: Round) => Curve> = {
  coordinator: keptCurves((round) => roundRdp(round, 'coordinator')),
  readers: keptCurves((round) => roundRdp(round, 'readers')),
};

/** ε at δ by RDP, of the `most` costliest rounds at each order, and of all that is correlated. */
export function composedEpsilon(
  ledger: Ledger,
  curveOf: (round: Round) => Curve,
  most: number,
  dpDelta: number,
): number {
  const rounds = ledger.rounds.map(({ releases, times }) => ({ curve: curveOf(releases), times }));
  const precision = correlatedPrecision(ledger);
  const rdp = (order: number): number => {
    const at = order - (DEFAULT_ORDERS[0] ?? 2);
    const costs = rounds.map(({ curve, times }) => ({ cost: curve[at] as number, times }));
    return costliest(costs, most) + (order * precision) / 2;
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
    const cost = gaussianPrecision(releases);
    if (cost === undefined) return undefined;
    costs.push({ cost, times });
  }
  const independent = costliest(costs, ledger.participationCap ?? Number.POSITIVE_INFINITY);
  return analyticGaussianEpsilon(1 / Math.sqrt(independent + correlatedPrecision(ledger)), dpDelta);
}

/** Σ 1/z² over the releases of a round; undefined where one is not Gaussian. */
export function gaussianPrecision(releases: Round): number | undefined {
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
