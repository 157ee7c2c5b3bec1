import { wipe, type LocalOnly } from '@tutti/base';
import { layoutLanes, quantizeContribution, type ClientContribution } from '@tutti/aggregation';
import { hitRate, ndcg, rankHeldOut } from '@tutti/evaluation';
import type { LoadedModel } from '@tutti/model';
import { addSkellamNoise, clipUpdate, roundedSensitivity } from '@tutti/privacy';
import type { RoundDescription } from '@tutti/protocol';
import type { QuantizedInput } from '@tutti/secure-aggregation';
import type { DeviceOptions, LocalExamples } from './ports.ts';

/** Losses up to this fit the loss lane. */
const LARGEST_LOSS = 4;

/** Length of the list that the ranking lanes measure. */
const K = 10;

/** What local training gives: integers for the sum, and the vector that stays. */
export interface Trained {
  readonly input: QuantizedInput;
  readonly local: LocalOnly<Float32Array>;
}

/**
 * Trains on the device and turns the result into ring words: clip, round at random, add this client's part of the noise.
 * Their number follows from the description alone; a person with no data adds a delta of zeros like anyone else's.
 */
export async function contribute(
  options: DeviceOptions,
  description: RoundDescription,
  loaded: LoadedModel,
  before: LocalOnly<Float32Array> | undefined,
): Promise<Trained> {
  const { attempt, purpose, scale, clippingNorm, noise } = description;
  const examples = await options.data();
  const seeds = options.seeds(attempt);
  const vector = await loaded.personalize(before, examples, seeds);
  const measured = await measure(loaded, vector, examples);
  const trained = purpose === 'train' ? await loaded.train(vector, examples, seeds) : undefined;
  const lanes = layoutLanes({
    deltaLength: description.lanes.delta,
    rowCounts: description.lanes.rowCounts,
    metrics: description.lanes.metrics,
  });
  const clipped = trained === undefined ? undefined : clipUpdate(trained.delta, clippingNorm);
  const contribution: ClientContribution = {
    delta: clipped?.delta ?? new Float32Array(0),
    weight: 1,
    clipped: clipped?.clipped ?? false,
    ...(trained === undefined ? {} : { touchedRows: trained.touchedRows }),
    metrics: { ...measured, loss: Math.min(1, Math.max(0, (trained?.loss ?? 0) / LARGEST_LOSS)) },
  };
  const noisy = noise.mechanism === 'skellam' && lanes.deltaLength > 0;
  // The sensitivity that the noise is accounted with holds for the rounded delta too.
  const bounds = noisy
    ? { roundedNorm: roundedSensitivity(clippingNorm * scale.delta, lanes.deltaLength) }
    : {};
  const input = quantizeContribution(lanes, scale, contribution, options.words('rounding', attempt), bounds);
  if (trained !== undefined) wipe(trained.delta);
  if (clipped !== undefined) wipe(clipped.delta);
  if (noise.mechanism === 'skellam') {
    const words = options.words('noise', attempt);
    addSkellamNoise(input, 0, lanes.deltaLength, noise.deltaVariance, words);
    addSkellamNoise(input, lanes.offsets.clip, lanes.length, noise.metricVariance, words);
  }
  return { input: input as QuantizedInput, local: trained?.local ?? vector };
}

/** Ranks the held-out item with the incoming model, before this round trains on anything. */
async function measure(
  loaded: LoadedModel,
  vector: LocalOnly<Float32Array>,
  { heldOut }: LocalExamples,
): Promise<Readonly<Record<string, number>>> {
  if (heldOut === undefined) return {};
  const scores = await loaded.score(vector);
  const rank = rankHeldOut({ scores, positive: heldOut.item, negatives: heldOut.candidates });
  return { hr10: hitRate(rank, K), ndcg10: ndcg(rank, K), evaluated: 1 };
}
