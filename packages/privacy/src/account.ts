import { UsageError } from '@tutti/base';
import { calibrateNoiseMultiplier } from './calibrate.ts';
import { checkCount, checkDpDelta, checkPositive, checkSampling } from './checks.ts';
import { correlatedSensitivity, type CorrelatedNoise, type Participation } from './correlated.ts';
import { analyticGaussianEpsilon, analyticGaussianSigma, leastThatHolds } from './gaussian.ts';
import { pldEpsilon } from './pld.ts';
import {
  composeRdp,
  gaussianRdp,
  rdpToEpsilon,
  roundedSensitivity,
  skellamRdp,
  subsampledRdp,
  type Rdp,
} from './rdp.ts';

/** How noise is added, before it is known how much. */
export type NoiseMechanism =
  | { readonly mechanism: 'gaussian' }
  | {
      readonly mechanism: 'skellam';
      /** C·S: the clipping norm in ring units. */
      readonly scaledClip: number;
      /** Lanes that carry the update. */
      readonly dimension: number;
    }
  | {
      readonly mechanism: 'tree';
      /** Releases of one tree. */
      readonly stepsPerTree: number;
      /** Trees, one after another. */
      readonly trees: number;
      /** Fewest rounds from one part of a user to the next; without it each user takes part once in a tree. */
      readonly separation?: number;
    }
  | {
      readonly mechanism: 'banded';
      /** First column of the matrix: see {@link CorrelatedNoise}. */
      readonly coefficients: readonly number[];
      /** Rounds of one run of the matrix; all of them without it. */
      readonly steps?: number;
      /** Fewest rounds from one part of a user to the next; 1 without it. */
      readonly separation?: number;
    };

/** What is planned to be released, as data. */
export interface ReleasePlan {
  readonly noise: NoiseMechanism;
  /** Releases; for trees this is `trees`, and not read. */
  readonly rounds: number;
  /** q in (0, 1]: the chance of being asked, Poisson and secret; 1 where it is neither. Correlated noise knows no sampling: 1. */
  readonly sampling: number;
  /** Most rounds (trees, for trees without a separation) that one user takes part in, where clients keep to it. */
  readonly participations?: number;
  /** δ in (0, 1). */
  readonly dpDelta: number;
}

/** ε at δ by each accountant. The first two against readers of the model, the last against the coordinator. */
export interface PlanAccount {
  readonly rdp: { readonly epsilon: number; readonly order: number };
  /** null for Skellam noise, of which no privacy loss distribution is known here: RDP answers. */
  readonly pld: { readonly epsilon: number | null };
  /** Without amplification by sampling, of as many releases as one user takes part in. */
  readonly unamplified: { readonly epsilon: number };
}

/**
 * What a plan will have cost when it is carried out with this noise.
 *
 * @param noiseMultiplier z > 0: standard deviation of the sum's noise over its sensitivity; of each node, for trees.
 * @throws {UsageError} for values outside the ranges that {@link ReleasePlan} gives.
 */
export function accountPlan(plan: ReleasePlan, noiseMultiplier: number): PlanAccount {
  checkPlan(plan);
  checkPositive('noise multiplier', noiseMultiplier);
  const { noise, sampling, dpDelta, rounds } = plan;
  if (noise.mechanism === 'tree' || noise.mechanism === 'banded') {
    const equal = noiseMultiplier / sensitivityOf(noise, plan);
    const epsilon = analyticGaussianEpsilon(equal, dpDelta);
    return { rdp: rdpToEpsilon(gaussianRdp(equal), dpDelta), pld: { epsilon }, unamplified: { epsilon } };
  }
  const own = Math.min(plan.participations ?? rounds, rounds);
  const once = rdpOf(noise, noiseMultiplier);
  const epsilonOf = (rdp: Rdp, times: number): { epsilon: number; order: number } =>
    rdpToEpsilon(composeRdp([{ rdp, times }]), dpDelta);
  if (noise.mechanism === 'skellam') {
    const unamplified = epsilonOf(once, own).epsilon;
    return {
      rdp: least(epsilonOf(subsampledRdp(once, sampling), rounds), epsilonOf(once, own)),
      pld: { epsilon: null },
      unamplified: { epsilon: unamplified },
    };
  }
  const unamplified = analyticGaussianEpsilon(noiseMultiplier / Math.sqrt(own), dpDelta);
  const sampled = sampling === 1 ? unamplified : pldEpsilon({ noiseMultiplier, sampling, rounds }, dpDelta);
  return {
    rdp: least(epsilonOf(subsampledRdp(once, sampling), rounds), epsilonOf(once, own)),
    pld: { epsilon: Math.min(sampled, unamplified) },
    unamplified: { epsilon: unamplified },
  };
}

/**
 * The least noise multiplier at which a plan's ε against readers is at most `epsilon`: by PLD for Gaussian noise, analytic for
 * correlated noise, by RDP for Skellam noise.
 *
 * @throws {UsageError} for values out of range, or a target that no noise multiplier up to 1e9 reaches.
 */
export function calibratePlan(plan: ReleasePlan, epsilon: number): number {
  checkPlan(plan);
  checkPositive('ε', epsilon);
  const { noise, sampling, dpDelta } = plan;
  if (noise.mechanism === 'tree' || noise.mechanism === 'banded')
    return analyticGaussianSigma(epsilon, dpDelta) * sensitivityOf(noise, plan);
  const own = Math.min(plan.participations ?? plan.rounds, plan.rounds);
  if (noise.mechanism === 'gaussian' && own === plan.rounds)
    return calibrateNoiseMultiplier({ epsilon, dpDelta, rounds: own, sampling, accountant: 'pld' });
  const enough = (z: number): boolean => {
    const { rdp, pld } = accountPlan(plan, z);
    return (pld.epsilon ?? rdp.epsilon) <= epsilon;
  };
  return leastThatHolds(enough, 1e-6);
}

type WithOrder = PlanAccount['rdp'];
const least = (a: WithOrder, b: WithOrder): WithOrder => (b.epsilon < a.epsilon ? b : a);

type Correlated = Extract<NoiseMechanism, { mechanism: 'tree' | 'banded' }>;

function rdpOf(noise: Exclude<NoiseMechanism, Correlated>, noiseMultiplier: number): Rdp {
  switch (noise.mechanism) {
    case 'gaussian':
      return gaussianRdp(noiseMultiplier);
    case 'skellam': {
      // Every rounding keeps to this sensitivity: ln 1/β is infinite.
      const l2 = roundedSensitivity(noise.scaledClip, noise.dimension, Number.POSITIVE_INFINITY);
      const l1 = Math.min(Math.sqrt(noise.dimension) * l2, l2 * l2);
      return skellamRdp({ l1, l2, variance: (noiseMultiplier * l2) ** 2 });
    }
  }
}

/** Sensitivity of all draws together: the whole plan is one Gaussian release at z over it. */
function sensitivityOf(noise: Correlated, { rounds, participations }: ReleasePlan): number {
  if (noise.mechanism === 'banded') {
    const { steps = rounds, coefficients, separation = 1 } = noise;
    return correlatedSensitivity({ mechanism: 'banded', steps, coefficients }, rounds, {
      most: participations ?? Math.ceil(rounds / separation),
      separation,
    });
  }
  const { stepsPerTree: steps, trees, separation = steps } = noise;
  const tree: CorrelatedNoise = { mechanism: 'tree', steps };
  const participation: Participation = {
    most: participations ?? trees * Math.ceil(steps / separation),
    separation,
  };
  return correlatedSensitivity(tree, trees * steps, participation);
}

function checkPlan({ noise, rounds, sampling, participations, dpDelta }: ReleasePlan): void {
  checkDpDelta(dpDelta);
  checkSampling(sampling);
  if (participations !== undefined) checkCount('participations', participations);
  if (noise.mechanism === 'tree' || noise.mechanism === 'banded') {
    if (sampling !== 1)
      throw new UsageError(
        `a sampling rate of ${sampling} with correlated noise; it is for clients that nobody samples`,
      );
  }
  switch (noise.mechanism) {
    case 'tree':
      checkCount('steps of a tree', noise.stepsPerTree);
      checkCount('trees', noise.trees);
      return;
    case 'skellam':
      checkPositive('scaled clipping norm', noise.scaledClip);
      checkCount('dimension', noise.dimension);
      break;
    case 'banded':
    case 'gaussian':
  }
  checkCount('rounds', rounds);
}
