/**
 * What a person's part in a model can cost them, bounded and counted: clipping, distributed noise, and an accountant.
 *
 * ```ts
 * import { calibrateNoiseMultiplier, clipUpdate, gaussianRdp, rdpToEpsilon } from '@tutti/privacy';
 *
 * console.log(clipUpdate(Float32Array.of(3, 4), 1).norm); // 5, and the delta now has norm 1
 * console.log(rdpToEpsilon(gaussianRdp(1), 1e-5).epsilon);
 * console.log(calibrateNoiseMultiplier({ epsilon: 8, dpDelta: 1e-5, rounds: 300, sampling: 100 / 6040 }));
 * ```
 */
export { adaptiveNoise, CLIP_LEARNING_RATE, nextClippingNorm } from './adaptive-clip.ts';
export type { AdaptiveClipping, AdaptiveNoise } from './adaptive-clip.ts';
export { accountPlan, calibratePlan } from './account.ts';
export type { NoiseMechanism, PlanAccount, ReleasePlan } from './account.ts';
export { calibrateNoiseMultiplier } from './calibrate.ts';
export type { CalibrationTarget } from './calibrate.ts';
export { clipInPlace, clipUpdate } from './clip.ts';
export type { ClippedUpdate } from './clip.ts';
export { bandedCoefficients, correlatedSensitivity, prefixError } from './correlated.ts';
export type { CorrelatedNoise, Participation } from './correlated.ts';
export { addGaussianNoise, LARGEST_GAUSSIAN_VARIANCE } from './discrete-gaussian.ts';
export { InvalidUpdateError } from './errors.ts';
export { analyticGaussianDelta, analyticGaussianEpsilon, analyticGaussianSigma } from './gaussian.ts';
export { unamplifiedEpsilon } from './composition.ts';
export { createLedger, EMPTY_LEDGER, recordCorrelated, recordRelease } from './ledger.ts';
export type { CorrelatedRelease, Ledger, Release } from './release.ts';
export { noiseSequence } from './noise-sequence.ts';
export type { NoiseSequence, RoundDraw } from './noise-sequence.ts';
export { normalCdf } from './normal.ts';
export { pldEpsilon } from './pld.ts';
export type { SampledGaussian } from './pld.ts';
export {
  composeRdp,
  DEFAULT_ORDERS,
  gaussianRdp,
  rdpToEpsilon,
  roundedSensitivity,
  skellamRdp,
  subsampledRdp,
  treeRdp,
} from './rdp.ts';
export type { Rdp } from './rdp.ts';
export { addSkellamNoise, LARGEST_NOISE_VARIANCE } from './skellam.ts';
export { spent } from './spent.ts';
export type { Spent } from './spent.ts';
