import { UsageError } from '@tutti/base';

/**
 * The chance that a positive scores above a negative (area under the ROC curve); ties count half.
 * @throws {UsageError} without a positive or without a negative.
 */
export function auc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort(
    (a, b) => (scores[a] as number) - (scores[b] as number),
  );
  let rankSum = 0;
  let positives = 0;
  for (let at = 0; at < order.length;) {
    let end = at;
    while (end < order.length && scores[order[end] as number] === scores[order[at] as number]) end++;
    for (let i = at; i < end; i++) {
      if (labels[order[i] as number] !== 1) continue;
      rankSum += (at + end + 1) / 2;
      positives++;
    }
    at = end;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0)
    throw new UsageError(`${positives} positives and ${negatives} negatives; both are needed`);
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** How far from 0.5 an area may lie either way: what an attacker gains who may turn the score around. */
export const distance = (area: number): number => 0.5 + Math.abs(area - 0.5);

/** Deviations that bounds allow for chance: false alarms below 7e-5 for each attack. */
const DEVIATIONS = 4;

/**
 * What {@link distance} of an attack that knows nothing stays below: 0.5 and four deviations of the area under no effect.
 * @see Hanley & McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 1982.
 */
export function chanceBound(positives: number, negatives: number): number {
  return 0.5 + DEVIATIONS * Math.sqrt((positives + negatives + 1) / (12 * positives * negatives));
}

/** Largest area that any attack on an (ε, δ)-private release can reach: the curve that the two inequalities allow. */
export function privateBound(epsilon: number, dpDelta: number): number {
  // TPR ≤ e^ε·FPR + δ and TPR ≤ 1 − e^−ε·(1 − δ − FPR): two lines that meet at FPR*.
  const growth = Math.exp(epsilon);
  const meet = (1 - dpDelta) / (1 + growth);
  const top = dpDelta + growth * meet;
  return (meet * (dpDelta + top)) / 2 + ((1 - meet) * (top + 1)) / 2;
}
