import { keepLocal, type LocalOnly, type SeededRandom } from '@tutti/base';
import { chooseLaneScale, layoutLanes, quantizeContribution, type LaneScale } from '@tutti/aggregation';
import type { Interactions } from '@tutti/datasets';
import { wholeDelta, type LoadedModel, type Model } from '@tutti/model';
import { addSkellamNoise, clipUpdate } from '@tutti/privacy';

/** What every attack looks at: people, their items, and a model that they train. The attacker is given none of it but a result. */
export interface Victims {
  readonly model: Model;
  readonly loaded: LoadedModel;
  /** The checkpoint's shared part, which everybody knows. */
  readonly shared: Float32Array;
  readonly train: Interactions;
  /** C: L2 norm that every delta is scaled down to. */
  readonly clippingNorm: number;
  readonly random: SeededRandom;
}

/** One person's clipped delta, and the item rows that it moved. */
export interface PersonDelta {
  readonly user: number;
  readonly items: ReadonlySet<number>;
  /** Rows that training touched: those of the items, and of negatives where the family draws some. */
  readonly touched: ReadonlySet<number>;
  readonly delta: Float32Array;
  /** The vector that never leaves the device: looked at to show what it would give away. */
  readonly vector: Float32Array;
}

/** What decides a device's training; the same in a recorded attempt, so that its delta can be known. */
export const trainingStream = (random: SeededRandom, user: number): SeededRandom =>
  random.fork('training', user);

/** A person's items. */
export function itemsOf({ train }: Pick<Victims, 'train'>, user: number): LocalOnly<Int32Array> {
  return keepLocal(train.values.subarray(train.offsets[user], train.offsets[user + 1]));
}

/** What `user` would send if nothing hid it; `without` trains as if that item had never been touched. */
export async function deltaOf(victims: Victims, user: number, without?: number): Promise<PersonDelta> {
  const { loaded, clippingNorm, random } = victims;
  const own = itemsOf(victims, user);
  const positives = without === undefined ? own : keepLocal(own.filter((item) => item !== without));
  const stream = trainingStream(random, user);
  const vector = await loaded.personalize(undefined, { positives }, stream);
  const update = await loaded.train(vector, { positives }, stream);
  const { delta } = clipUpdate(wholeDelta(update, victims.model), clippingNorm);
  return { user, items: new Set(positives), touched: new Set(update.touchedRows), delta, vector };
}

/** The item table: where it stands in a delta, and its width. */
export function itemTable({ layout, items }: Model): { offset: number; width: number } {
  const table = layout.parameters.find(({ role }) => role === 'item-table');
  return { offset: table?.offset ?? 0, width: (table?.length ?? 0) / items };
}

/** The row of `item` in a delta, or in a sum of deltas. */
export function rowOf<Numbers extends Float32Array | Float64Array>(
  model: Model,
  delta: Numbers,
  item: number,
): Numbers {
  const { offset, width } = itemTable(model);
  return delta.subarray(offset + item * width, offset + (item + 1) * width) as Numbers;
}

/** Scales as a round of `cohort` clients has them. */
export function scaleFor({ model, clippingNorm }: Victims, cohort: number, noisy: boolean): LaneScale {
  return chooseLaneScale({ cohort, clippingNorm, noise: noisy, deltaLength: model.layout.length });
}

/**
 * What the coordinator learns of a round: the sum of quantised deltas with noise of `noiseMultiplier`·C on it, as numbers. The
 * clients' parts of Skellam noise add up to just this one, so it is drawn at once; `roundNoise` shows that a real round's is no weaker.
 */
export function noisySum(
  victims: Victims,
  deltas: readonly Float32Array[],
  noiseMultiplier: number,
  random: SeededRandom,
): Float64Array {
  const scale = scaleFor(victims, deltas.length, noiseMultiplier > 0);
  return noisyLanes(scale, deltas, noiseMultiplier * victims.clippingNorm, random);
}

/** The same of some lanes alone: each of `deltas` holds just those. @param stddev of the noise, in the units of the deltas. */
export function noisyLanes(
  scale: LaneScale,
  deltas: readonly Float32Array[],
  stddev: number,
  random: SeededRandom,
): Float64Array {
  const lanes = layoutLanes({ deltaLength: deltas[0]?.length ?? 0, rowCounts: 0, metrics: [] });
  const sum = new Uint32Array(lanes.length);
  deltas.forEach((delta, i) => {
    const one = { delta, weight: 1, clipped: false, metrics: {} };
    const words = quantizeContribution(lanes, scale, one, random.fork('rounding', i));
    for (let lane = 0; lane < sum.length; lane++) sum[lane] = (sum[lane] as number) + (words[lane] as number);
  });
  const variance = (stddev * scale.delta) ** 2;
  if (variance > 0) addSkellamNoise(sum, 0, lanes.deltaLength, variance, random.fork('noise'));
  return Float64Array.from(new Int32Array(sum.buffer, 0, lanes.deltaLength), (lane) => lane / scale.delta);
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};

export const norm = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a));
