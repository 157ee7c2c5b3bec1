import { createStrategy, type Strategy, type StrategyConfig } from '@tutti/aggregation';
import { addContentInto, unpackPull, type ContentConfig, type ItemFeatures } from '@tutti/model';
import type { ContentState } from './content-state.ts';

/** What the steps of a content model are made with. */
export interface ContentSteps {
  readonly config: ContentConfig;
  readonly features: ItemFeatures;
  readonly strategy: StrategyConfig;
}

/** The sum of a round, as a mean. */
export interface ContentUpdate {
  /** In the layout of a content model of `rows` items: rows of the table, and the packed pull behind them. */
  readonly meanDelta: Float32Array;
  /** Rows of the catalogue that it is of, ascending. */
  readonly rows: Uint32Array;
  /** Deviation of the noise of each of its numbers; 0 without noise. */
  readonly noiseStddev: number;
}

/** Standard deviations of its noise that what is told of a row has to be above before it counts as touched. */
const SURE = 3;

/** Turns of the power iteration: people's vectors have much in common, so it is there in a few. */
const TURNS = 16;

/**
 * One update of a content model, H = E + X·P, of which devices see H alone. Of the sum B of (1 − s)·w over the people who touched an item, and the sum G of w ⊗ w
 * over everybody, the gradient of a row that somebody touched is D = B − a0·G·h, as in matrix factorisation; E moves along D, and P along XᵀD.
 * **What nobody touched has no gradient**: such a row is what its content says, X·P, in every round.
 *
 * Adding up commutes with Xᵀ, so devices send nothing for P: it costs no bytes and no privacy.
 *
 * @param state changed in place, but for what is returned.
 * @param shared the table H, changed in place: rows of the update that were touched by E, and every row by P.
 * @returns the state after it.
 */
export function contentStepInPlace(
  { config, features, strategy: settings }: ContentSteps,
  state: ContentState,
  shared: Float32Array,
  update: ContentUpdate,
): ContentState {
  const { dimension: d, unobservedWeight } = config;
  const { meanDelta, rows } = update;
  const pull = unpackPull(meanDelta.subarray(rows.length * d), d);
  observeInPlace(state, update, mainDirection(pull, d));
  const touched = touchedAmong(state, update);
  const gradient = new Float32Array(touched.length * d);
  const own = new Float32Array(touched.length * d);
  const contentGradient = new Float32Array(state.weights.length);
  touched.forEach((at, n) => {
    const row = rows[at] as number;
    const item = shared.subarray(row * d, (row + 1) * d);
    const mine = gradient.subarray(n * d, (n + 1) * d);
    pulledInto(mine, meanDelta.subarray(at * d, (at + 1) * d), pull, item, unobservedWeight);
    const part = own.subarray(n * d, (n + 1) * d);
    part.set(item);
    addRowInto(part, features, row, state.weights, -1);
    addColumnsInto(contentGradient, features, row, mine);
  });
  const strategy = createStrategy(settings);
  const moved = movedRows(
    strategy,
    state,
    touched.map((at) => rows[at] as number),
    own,
    gradient,
  );
  const content = strategy.apply(state.content, state.weights, { meanDelta: contentGradient });
  touched.forEach((at, n) => addInto(shared, (rows[at] as number) * d, moved.subarray(n * d, (n + 1) * d)));
  const turned = content.parameters.map((value, at) => value - (state.weights[at] as number));
  addContentInto(shared, features, turned, d);
  return { ...state, weights: content.parameters, content: content.state };
}

/** Rows of the update, by their place in it, of which somebody is known to have touched them. */
function touchedAmong({ evidence, rounds }: ContentState, { rows, noiseStddev }: ContentUpdate): Uint32Array {
  return Uint32Array.from(rows.keys()).filter((at) => {
    const row = rows[at] as number;
    return Math.abs(evidence[row] as number) > SURE * noiseStddev * Math.sqrt(rounds[row] as number);
  });
}

/**
 * Adds up what is told of each row: B·v, v the direction that everybody's vectors have most in common, along which each person who touched a row moves it the
 * same way (or mostly so: the sum may go either way, and only its size counts). Without noise it is 0 exactly where nobody touched it.
 */
function observeInPlace(
  state: ContentState,
  { meanDelta, rows }: ContentUpdate,
  direction: Float64Array,
): void {
  const d = direction.length;
  const told = new Float64Array(rows.length);
  let total = 0;
  for (let at = 0; at < rows.length; at++) {
    let sum = 0;
    for (let k = 0; k < d; k++) sum += (meanDelta[at * d + k] as number) * (direction[k] as number);
    told[at] = sum;
    total += sum;
  }
  const sign = total < 0 ? -1 : 1;
  rows.forEach((row, at) => {
    state.evidence[row] = (state.evidence[row] as number) + sign * (told[at] as number);
    state.rounds[row] = (state.rounds[row] as number) + 1;
  });
}

/** The first eigenvector of `matrix`, by power iteration. */
function mainDirection(matrix: Float64Array, d: number): Float64Array {
  let vector = new Float64Array(d).fill(1 / Math.sqrt(d));
  for (let turn = 0; turn < TURNS; turn++) {
    const next = new Float64Array(d);
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++)
        next[i] = (next[i] as number) + (matrix[i * d + j] as number) * (vector[j] as number);
    const length = Math.sqrt(next.reduce((sum, value) => sum + value * value, 0));
    if (!(length > 0)) return vector;
    vector = next.map((value) => value / length);
  }
  return vector;
}

/** B − a0·G·h. */
function pulledInto(
  target: Float32Array,
  touched: Float32Array,
  pull: Float64Array,
  item: Float32Array,
  a0: number,
): void {
  const d = item.length;
  for (let k = 0; k < d; k++) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += (pull[k * d + j] as number) * (item[j] as number);
    target[k] = (touched[k] as number) - a0 * sum;
  }
}

/** Adds factor · X_i·P to the vector of item i. */
function addRowInto(
  target: Float32Array,
  { offsets, columns, values }: ItemFeatures,
  item: number,
  weights: Float32Array,
  factor: number,
): void {
  const d = target.length;
  for (let n = offsets[item] as number; n < (offsets[item + 1] as number); n++) {
    const from = (columns[n] as number) * d;
    const value = factor * (values[n] as number);
    for (let k = 0; k < d; k++) target[k] = (target[k] as number) + value * (weights[from + k] as number);
  }
}

/** Adds X_iᵀ·D_i to the gradient of P. */
function addColumnsInto(
  target: Float32Array,
  { offsets, columns, values }: ItemFeatures,
  item: number,
  gradient: Float32Array,
): void {
  const d = gradient.length;
  for (let n = offsets[item] as number; n < (offsets[item + 1] as number); n++) {
    const to = (columns[n] as number) * d;
    const value = values[n] as number;
    for (let k = 0; k < d; k++) target[to + k] = (target[to + k] as number) + value * (gradient[k] as number);
  }
}

/** By how much the own parts of `rows` move; each counts its own updates, for a strategy that corrects its moments. */
function movedRows(
  strategy: Strategy,
  { own: state, steps }: ContentState,
  rows: Uint32Array,
  own: Float32Array,
  gradient: Float32Array,
): Float32Array {
  const d = rows.length === 0 ? 0 : own.length / rows.length;
  const moved = new Float32Array(own.length);
  for (const [step, places] of placesByStep(rows, steps)) {
    const from = places.map((n) => n * d);
    const at = places.map((n) => (rows[n] as number) * d);
    const parameters = gathered(own, from, d);
    const before = { step, first: gathered(state.first, at, d), second: gathered(state.second, at, d) };
    const next = strategy.apply(before, parameters, { meanDelta: gathered(gradient, from, d) });
    scatterInto(state.first, at, next.state.first);
    scatterInto(state.second, at, next.state.second);
    scatterInto(
      moved,
      from,
      next.parameters.map((value, i) => value - (parameters[i] as number)),
    );
  }
  for (const row of rows) steps[row] = (steps[row] as number) + 1;
  return moved;
}

function placesByStep(rows: Uint32Array, steps: Uint32Array): Map<number, number[]> {
  const places = new Map<number, number[]>();
  rows.forEach((row, n) => {
    const step = steps[row] as number;
    const known = places.get(step);
    if (known === undefined) places.set(step, [n]);
    else known.push(n);
  });
  return places;
}

/** `d` numbers from each of `places`; nothing of a moment that a strategy does not keep. */
function gathered(source: Float32Array, places: readonly number[], d: number): Float32Array {
  if (source.length === 0) return source;
  const values = new Float32Array(places.length * d);
  places.forEach((at, n) => values.set(source.subarray(at, at + d), n * d));
  return values;
}

function scatterInto(target: Float32Array, places: readonly number[], values: Float32Array): void {
  const d = values.length / Math.max(1, places.length);
  if (target.length > 0) places.forEach((at, n) => target.set(values.subarray(n * d, (n + 1) * d), at));
}

function addInto(target: Float32Array, from: number, values: Float32Array): void {
  for (let k = 0; k < values.length; k++)
    target[from + k] = (target[from + k] as number) + (values[k] as number);
}
