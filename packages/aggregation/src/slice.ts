import { UsageError } from '@tutti/base';
import type { AggregatedUpdate } from './decode.ts';
import type { Strategy, StrategyState } from './strategy.ts';

/** An update of some coordinates of a model; the others stay as they are, with their moments. */
export interface SlicedUpdate extends Pick<AggregatedUpdate, 'meanDelta'> {
  /** Where each number of the update stands in the whole model; each place once. */
  readonly coordinates: Uint32Array;
  /** How often each of these coordinates was updated before: a strategy that corrects its moments counts for each row alone. */
  readonly steps: Uint32Array;
}

/**
 * One update of a slice. Law: after any rounds, a coordinate and its moments are what the strategy gives that was applied to
 * it alone, in the rounds that held it.
 *
 * @param state for the whole model; its moments are changed at the coordinates of the update.
 * @param parameters the whole model, changed at the same places.
 * @returns the state one step on, with the same moments.
 * @throws {UsageError} if lengths differ, or a coordinate is outside the model.
 * @throws {InvalidUpdateError} as {@link Strategy.apply} does; the arrays are of no use then.
 */
export function applyToSliceInPlace(
  strategy: Strategy,
  state: StrategyState,
  parameters: Float32Array,
  update: SlicedUpdate,
): StrategyState {
  const { coordinates, steps, meanDelta } = update;
  if (coordinates.length !== meanDelta.length || steps.length !== meanDelta.length)
    throw new UsageError(
      `${meanDelta.length} numbers for ${coordinates.length} coordinates with ${steps.length} counts`,
    );
  for (const { length } of [state.first, state.second])
    if (length !== 0 && length !== parameters.length)
      throw new UsageError(`a state for ${length} parameters does not fit ${parameters.length}`);
  if (coordinates.some((at) => at >= parameters.length))
    throw new UsageError(`a coordinate outside a model of ${parameters.length} parameters`);
  for (const [step, places] of groupedBySteps(steps)) {
    const targets = places.map((place) => coordinates[place] as number);
    const before = { step, first: gathered(state.first, targets), second: gathered(state.second, targets) };
    const next = strategy.apply(before, gathered(parameters, targets), {
      meanDelta: Float32Array.from(places, (place) => meanDelta[place] as number),
    });
    scatterInPlace(parameters, targets, next.parameters);
    scatterInPlace(state.first, targets, next.state.first);
    scatterInPlace(state.second, targets, next.state.second);
  }
  return { ...state, step: state.step + 1 };
}

/** Places of the update by their count, so that each count is one call of the strategy. */
function groupedBySteps(steps: Uint32Array): Map<number, Uint32Array> {
  const sizes = new Map<number, number>();
  for (const step of steps) sizes.set(step, (sizes.get(step) ?? 0) + 1);
  const groups = new Map([...sizes].map(([step, size]) => [step, { places: new Uint32Array(size), at: 0 }]));
  steps.forEach((step, place) => {
    const group = groups.get(step);
    if (group !== undefined) group.places[group.at++] = place;
  });
  return new Map([...groups].map(([step, { places }]) => [step, places]));
}

/** An empty moment stays empty: the strategy keeps none. */
function gathered(source: Float32Array, targets: Uint32Array): Float32Array {
  if (source.length === 0) return source;
  return Float32Array.from(targets, (at) => source[at] as number);
}

function scatterInPlace(target: Float32Array, targets: Uint32Array, values: Float32Array): void {
  if (values.length > 0) targets.forEach((at, i) => (target[at] = values[i] as number));
}
