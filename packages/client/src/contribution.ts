import { given, l2Norm, type LocalOnly, type Ranges, spreadInto, wipe } from '@tutti/base';
import {
  inputRanges,
  layoutLanes,
  quantizeContribution,
  type ClientContribution,
  type DeltaBounds,
  type LaneLayout,
} from '@tutti/aggregation';
import { hitRate, ndcg, rankOf } from '@tutti/evaluation';
import type { LoadedModel, LocalUpdate } from '@tutti/model';
import { addSkellamNoise, clipInPlace, roundedSensitivity } from '@tutti/privacy';
import type { RoundDescription } from '@tutti/protocol';
import type { QuantizedInput } from '@tutti/secure-aggregation';
import { ownDeltaVariance } from './policy.ts';
import type { DeviceOptions, LocalExamples } from './ports.ts';
import { deltaNorm, withinRows, withPopularity, type OpenTable } from './slice.ts';

/** Losses up to this fit the loss lane. */
const LARGEST_LOSS = 4;

/** Errors of a predicted rating up to this fit their lane. */
const LARGEST_ERROR = 10;

/** Histories up to this long fit the lane of a census. */
const LONGEST_HISTORY = 1_024;

/** Length of the list that the ranking lanes measure. */
const K = 10;

/** What local training gives: integers for the sum, and the vector that stays. */
export interface Trained {
  readonly input: QuantizedInput;
  /** Where the words of the input stand, all others being zero; everywhere, when left out. */
  readonly ranges?: Ranges;
  readonly local: LocalOnly<Float32Array>;
}

/**
 * Trains on the device and turns the result into ring words: clip, round at random, add this client's part of the noise.
 * Their number follows from the description alone; a person with no data adds a delta of zeros like anyone else's, and so does one
 * whose training came to no number: a refusal would say something of their data.
 */
export async function contribute(
  options: DeviceOptions,
  description: RoundDescription,
  { loaded, rows }: OpenTable,
  before: LocalOnly<Float32Array> | undefined,
): Promise<Trained> {
  const { attempt, purpose, scale, clippingNorm, clipIndicator, noise } = description;
  const seeds = options.seeds(attempt);
  const examples = withinRows(await options.data(), rows, seeds);
  const vector = await loaded.personalize(before, examples, seeds);
  const measured =
    description.lanes.metrics.length === 0
      ? {}
      : ((await options.channels?.compare(description, async (other) =>
          measure(other, await other.personalize(before, examples, seeds), examples),
        )) ?? (await measure(loaded, vector, examples)));
  const trained =
    purpose === 'train' ? orNothing(await loaded.train(vector, examples, seeds), vector) : undefined;
  const lanes = layoutLanes({
    deltaLength: description.lanes.delta,
    rowCounts: description.lanes.rowCounts,
    metrics: description.lanes.metrics,
  });
  const delta = trained && ownDelta(trained, examples, description);
  const contribution: ClientContribution = {
    delta: delta?.values ?? new Float32Array(0),
    ...given({ ranges: delta?.ranges, touchedRows: trained?.touchedRows }),
    weight: 1,
    ...(clipIndicator ? { clipped: delta?.clipped ?? false } : {}),
    metrics: {
      ...measured,
      ...countedHistory(description, examples),
      loss: Math.min(1, Math.max(0, (trained?.loss ?? 0) / LARGEST_LOSS)),
    },
  };
  // The sensitivity that noise is accounted with, whoever adds it, holds for the rounded delta too.
  const noisy = noise.mechanism !== 'none' && lanes.deltaLength > 0;
  const room = delta?.ranges && options.rangedInputs?.(description);
  const bounds = {
    ...delta?.bounds,
    ...given({ room: room?.words }),
    ...(noisy ? { roundedNorm: roundedSensitivity(clippingNorm * scale.delta, lanes.deltaLength) } : {}),
  };
  const words = quantizeContribution(lanes, scale, contribution, options.words('rounding', attempt), bounds);
  if (delta !== undefined) wipe(delta.values);
  const ranges = delta?.ranges && inputRanges(lanes, delta.ranges, room?.ranges(delta.ranges.length + 2));
  const local = trained?.local ?? vector;
  if (ranges !== undefined && room !== undefined) return { input: words as QuantizedInput, ranges, local };
  const input = ranges === undefined ? words : whole(words, ranges, lanes);
  addOwnNoise(input, lanes, description, options);
  return { input: input as QuantizedInput, local };
}

/** All lanes, from those in ranges; the words are wiped. */
function whole(words: Uint32Array, ranges: Ranges, { length }: LaneLayout): Uint32Array {
  const lanes = new Uint32Array(length);
  spreadInto(lanes, words, ranges);
  wipe(words);
  return lanes;
}

/** The delta as it goes to be rounded, which clips it; of a slice clipped, with its popularity lanes. What training gave is used up. */
function ownDelta(
  { delta, ranges, norm }: MeasuredUpdate,
  { positives }: LocalExamples,
  description: RoundDescription,
): { values: Float32Array; ranges?: Ranges; clipped: boolean; bounds: DeltaBounds } {
  const { slice, lanes, clippingNorm } = description;
  if (slice === undefined)
    return {
      values: delta,
      ...given({ ranges }),
      clipped: norm > clippingNorm,
      bounds: { norm, clippingNorm },
    };
  const { clipped } = clipInPlace(delta, deltaNorm(description));
  const rows = new Float32Array(ranges === undefined ? 0 : lanes.delta - slice.rows);
  if (ranges !== undefined) spreadInto(rows, delta, ranges);
  const values = withPopularity(ranges === undefined ? delta : rows, positives, description);
  wipe(rows, delta);
  return { values, clipped, bounds: {} };
}

/** What training gave, with the L2 norm of its delta. */
interface MeasuredUpdate extends LocalUpdate {
  readonly norm: number;
}

/** What training gave, or zeros and the largest loss where it holds something that is no number. */
function orNothing(trained: LocalUpdate, vector: LocalOnly<Float32Array>): MeasuredUpdate {
  const { norm = l2Norm(trained.delta) } = trained;
  if (Number.isFinite(norm) && Number.isFinite(trained.loss)) return { ...trained, norm };
  wipe(trained.delta);
  return { ...trained, local: vector, loss: LARGEST_LOSS, norm: 0 };
}

/** This device's part of the noise of each kind of lane, or its own floor where that is more. */
function addOwnNoise(
  input: Uint32Array,
  lanes: LaneLayout,
  description: RoundDescription,
  { policy, words: wordsOf }: DeviceOptions,
): void {
  const { attempt, noise } = description;
  const words = wordsOf('noise', attempt);
  const { clip, metrics } = lanes.offsets;
  addSkellamNoise(input, 0, lanes.deltaLength, ownDeltaVariance(policy, description), words);
  if (noise.mechanism !== 'skellam') return;
  addSkellamNoise(input, clip, metrics, noise.clipVariance, words);
  addSkellamNoise(input, metrics, lanes.length, noise.metricVariance, words);
}

/** How many interactions there are, where it is asked: of a census. */
function countedHistory(
  { lanes, slice }: RoundDescription,
  { positives }: LocalExamples,
): { readonly history?: number } {
  if (slice !== undefined || !lanes.metrics.includes('history')) return {};
  return { history: Math.min(1, positives.length / LONGEST_HISTORY) };
}

/** Ranks the held-out item with the incoming model, before this round trains on anything. */
async function measure(
  loaded: LoadedModel,
  vector: LocalOnly<Float32Array>,
  { heldOut }: LocalExamples,
): Promise<Readonly<Record<string, number>>> {
  if (heldOut === undefined) return {};
  const { item, candidates, rating } = heldOut;
  const others = candidates.filter((candidate) => candidate !== item);
  const ranked = new Int32Array(1 + others.length).fill(item);
  ranked.set(others, 1);
  // In the order of `ranked`: the held-out item is the first.
  const scores = await loaded.score(vector, ranked);
  const rank = rankOf(scores, 0);
  const predicted = scores[0] as number;
  const rated =
    rating === undefined
      ? {}
      : { 'squared-error': Math.min(1, ((predicted - rating) / LARGEST_ERROR) ** 2), rated: 1 };
  return { hr10: hitRate(rank, K), ndcg10: ndcg(rank, K), evaluated: 1, ...rated };
}
