import { UsageError, type SeededRandom } from '@tutti/base';
import type { RocPoint } from './types.ts';

/** Chance that a bound for guessing is passed by guessing: five deviations of a normal value, either way. */
export const FALSE_ALARM = 6e-7;

/** How many deviations {@link FALSE_ALARM} is. */
export const DEVIATIONS = 5;

/** Points of a curve that a report draws. */
const CURVE_POINTS = 60;

/**
 * The chance that a positive scores above a negative (area under the ROC curve); ties count half.
 * @throws {UsageError} without a positive or without a negative.
 */
export function auc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  const ranks = ranksOf(scores);
  let rankSum = 0;
  let positives = 0;
  for (let i = 0; i < ranks.length; i++) {
    if (labels[i] !== 1) continue;
    rankSum += ranks[i] as number;
    positives++;
  }
  const negatives = ranks.length - positives;
  checkBoth(positives, negatives);
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** Places from 1 up in order of size; equal scores share the mean of their places. */
export function ranksOf(scores: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort(
    (a, b) => (scores[a] as number) - (scores[b] as number),
  );
  const ranks = new Float64Array(scores.length);
  for (let at = 0; at < order.length;) {
    let end = at;
    while (end < order.length && scores[order[end] as number] === scores[order[at] as number]) end++;
    for (let i = at; i < end; i++) ranks[order[i] as number] = (at + end + 1) / 2;
    at = Math.max(end, at + 1);
  }
  return ranks;
}

/** How far from 0.5 an area may lie either way: what an attacker gains who may turn the score around. */
export const distance = (area: number): number => 0.5 + Math.abs(area - 0.5);

/**
 * What {@link distance} of an attack that knows nothing stays below: 0.5 and five deviations of the area under no effect.
 * @see Hanley & McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 1982.
 */
export function chanceBound(positives: number, negatives: number): number {
  return 0.5 + DEVIATIONS * Math.sqrt((positives + negatives + 1) / (12 * positives * negatives));
}

/** The ROC curve, from (0, 0) to (1, 1), thinned to what a plot shows. */
export function rocCurve(scores: ArrayLike<number>, labels: ArrayLike<number>): RocPoint[] {
  const groups = tiesUpwards(scores, labels).reverse();
  const positives = groups.reduce((sum, { hits }) => sum + hits, 0);
  const negatives = groups.reduce((sum, { size, hits }) => sum + size - hits, 0);
  checkBoth(positives, negatives);
  const points: RocPoint[] = [[0, 0]];
  let [alarms, hits] = [0, 0];
  for (const group of groups) {
    hits += group.hits;
    alarms += group.size - group.hits;
    points.push([alarms / negatives, hits / positives]);
  }
  const step = Math.max(1, Math.ceil(points.length / CURVE_POINTS));
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

/** The largest true positive rate at a false positive rate of at most `rate`. */
export function truePositiveRateAt(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  rate: number,
): number {
  const groups = tiesUpwards(scores, labels).reverse();
  const positives = groups.reduce((sum, { hits }) => sum + hits, 0);
  const negatives = groups.reduce((sum, { size, hits }) => sum + size - hits, 0);
  checkBoth(positives, negatives);
  let [alarms, hits] = [0, 0];
  for (const group of groups) {
    alarms += group.size - group.hits;
    if (alarms > rate * negatives) break;
    hits += group.hits;
  }
  return hits / positives;
}

export function shuffleInPlace<T>(list: T[], random: SeededRandom): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
}

/** Mean, and the deviation of that mean; 0 for a single value. */
export function meanOf(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    mean,
    deviation: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length),
  };
}

/** Scores that are equal, from the lowest up: how many, and how many of them are positives. */
function tiesUpwards(scores: ArrayLike<number>, labels: ArrayLike<number>): { size: number; hits: number }[] {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort(
    (a, b) => (scores[a] as number) - (scores[b] as number),
  );
  const groups: { size: number; hits: number }[] = [];
  let last = Number.NaN;
  for (const i of order) {
    if (scores[i] !== last) groups.push({ size: 0, hits: 0 });
    last = scores[i] as number;
    const group = groups.at(-1) as { size: number; hits: number };
    group.size++;
    if (labels[i] === 1) group.hits++;
  }
  return groups;
}

function checkBoth(positives: number, negatives: number): void {
  if (positives === 0 || negatives === 0)
    throw new UsageError(`${positives} positives and ${negatives} negatives; both are needed`);
}
