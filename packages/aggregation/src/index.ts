/**
 * What happens to a sum: the lanes of a masked vector as integers, and strategies that turn a mean update into the next
 * model. Nothing here ever sees one client's update under secure aggregation.
 *
 * ```ts
 * import { seededRandom } from '@tutti/base';
 * import { chooseLaneScale, createStrategy, decodeSum, layoutLanes, quantizeContribution } from '@tutti/aggregation';
 *
 * const layout = layoutLanes({ deltaLength: 2, metrics: ['loss'] });
 * const scale = chooseLaneScale({ cohort: 1, clippingNorm: 1, noise: false });
 * const words = quantizeContribution(
 *   layout,
 *   scale,
 *   { delta: Float32Array.of(0.5, -0.25), weight: 1, clipped: false, metrics: { loss: 0.1 } },
 *   seededRandom(1),
 * );
 * const update = decodeSum(layout, scale, [new Int32Array(words.buffer)], 1);
 * const strategy = createStrategy({ name: 'fedavg' });
 * console.log(strategy.apply(strategy.init(2), new Float32Array(2), update).parameters);
 * ```
 */
export { COMBINATIONS, combineGroups, FEWEST_ROBUST_GROUPS } from './combine.ts';
export type { Combination, GroupSum } from './combine.ts';
export { decodeSum } from './decode.ts';
export type { AggregatedUpdate, RowTable } from './decode.ts';
export { InvalidUpdateError } from './errors.ts';
export { chooseLaneScale, largestLaneMagnitude, layoutLanes } from './layout.ts';
export type { LaneLayout, LaneScale } from './layout.ts';
export { inputRanges, quantizeContribution } from './quantize.ts';
export type { ClientContribution, DeltaBounds } from './quantize.ts';
export { coordinateMedian, trimmedMean } from './robust.ts';
export { applyToSliceInPlace } from './slice.ts';
export type { SlicedUpdate } from './slice.ts';
export {
  decodeSliceState,
  encodeSliceState,
  initSliceState,
  mostPopular,
  observeSlice,
} from './slice-state.ts';
export type { SliceState } from './slice-state.ts';
export { STRATEGY_DEFAULTS, STRATEGY_NAMES } from './strategy-config.ts';
export type { StrategyConfig, StrategyName, StrategySettings } from './strategy-config.ts';
export { createStrategy } from './strategy.ts';
export type { Strategy, StrategyState } from './strategy.ts';
export { decodeStrategyState, encodeStrategyState } from './strategy-state.ts';
