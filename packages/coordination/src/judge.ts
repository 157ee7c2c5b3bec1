import { normalCdf } from '@tutti/privacy';

/** What a candidate is judged by: a figure of each person's own held-out item, in [0, 1], the higher the better. */
export const JUDGED_METRICS = ['hr@10', 'ndcg@10'] as const;
export type JudgedMetric = (typeof JUDGED_METRICS)[number];

/** What is done with a candidate of which the last look still says nothing. */
export const UNDECIDED_ACTIONS = ['rollback', 'promote'] as const;

/** How a candidate on channel canary is judged against what is on channel stable, and by itself put there or taken back. */
export interface PromotionPolicy {
  /** Rounds from one candidate to the next. */
  readonly every: number;
  /** Share of the devices that are asked at a look, in (0, 1]; those of one look are asked at no other. */
  readonly canaryShare: number;
  readonly metric: JudgedMetric;
  /** How much worse a candidate may be, at most, to be promoted, in units of the metric. */
  readonly margin: number;
  /** Chance that no look's interval misses the truth, in (0, 1). */
  readonly confidence: number;
  /** People compared below whom nothing is decided. */
  readonly minClients: number;
  /** Looks at most, one evaluation attempt each; maxRounds · canaryShare ≤ 1. */
  readonly maxRounds: number;
  readonly undecided: (typeof UNDECIDED_ACTIONS)[number];
}

/** Sums over people, where d in [−1, 1] is a person's figure under the candidate less the one under the incumbent. */
export interface PairedSums {
  /** People who compared both. */
  readonly people: number;
  /** Σ max(0, d). */
  readonly gained: number;
  /** Σ max(0, −d). */
  readonly lost: number;
  /** Σ d². */
  readonly squared: number;
  /** Variance of the noise on each of these sums; 0 for none. */
  readonly noise: number;
}

/** What looks say of a candidate. */
export interface Verdict {
  /** `continue`: nothing yet; `undecided`: nothing, and there is no further look. */
  readonly verdict: 'promote' | 'rollback' | 'continue' | 'undecided';
  /** Mean of d. */
  readonly difference: number;
  /** Ends of its interval. */
  readonly low: number;
  readonly high: number;
}

export const NO_SUMS: PairedSums = { people: 0, gained: 0, lost: 0, squared: 0, noise: 0 };

/** The sums of two looks together. */
export const addSums = (one: PairedSums, other: PairedSums): PairedSums => ({
  people: one.people + other.people,
  gained: one.gained + other.gained,
  lost: one.lost + other.lost,
  squared: one.squared + other.squared,
  noise: one.noise + other.noise,
});

/**
 * What the looks so far say of a candidate: promote it where it is surely no worse than the incumbent by more than `margin`, roll it back
 * where it surely is.
 *
 * Every look may end the trial, so each has its part of the error: the interval of a look is at 1 − (1 − confidence) / maxRounds
 * (Bonferroni), and all of them hold together with chance `confidence`.
 *
 * @param looks how many there were, this one included.
 */
export function judge(policy: PromotionPolicy, sums: PairedSums, looks: number): Verdict {
  const { confidence, maxRounds, margin, minClients } = policy;
  const deviations = normalQuantile(1 - (1 - confidence) / maxRounds / 2);
  const interval = intervalOf(sums, deviations);
  const isLast = looks >= maxRounds;
  const enough = sums.people - deviations * Math.sqrt(sums.noise) >= minClients;
  if (enough && interval.low >= -margin) return { verdict: 'promote', ...interval };
  if (enough && interval.high < -margin) return { verdict: 'rollback', ...interval };
  return { verdict: isLast ? 'undecided' : 'continue', ...interval };
}

/**
 * The interval of the mean of d, `deviations` standard deviations to each side. As if half a person had gained all and half a person had
 * lost all besides, in the variance and in the count (for hits and misses, Agresti & Min 2005, the adjusted Wald interval of matched
 * proportions): without it, a few people who all agree would give an interval of no width. Noise adds its variance to that of the mean,
 * and Σ d² is taken as large as its own noise lets it be.
 */
function intervalOf(
  { people, gained, lost, squared, noise }: PairedSums,
  deviations: number,
): Omit<Verdict, 'verdict'> {
  const count = Math.max(0, people) + 2;
  const sum = gained - lost;
  const difference = bounded(sum / count);
  const squares = Math.max(squared + deviations * Math.sqrt(2 * noise), (sum * sum) / count);
  const variance = (Math.min(squares, count - 1) + 1 - (sum * sum) / count + 2 * noise) / (count * count);
  const width = deviations * Math.sqrt(Math.max(0, variance));
  return { difference, low: bounded(difference - width), high: bounded(difference + width) };
}

const bounded = (value: number): number => Math.min(1, Math.max(-1, value));

/** Steps of the bisection: 2⁻⁵⁰ of a deviation. */
const STEPS = 60;
const MOST_DEVIATIONS = 40;

/** Standard deviations that a normal variable stays below with chance `share`, in [0.5, 1). */
export function normalQuantile(share: number): number {
  let [low, high] = [0, MOST_DEVIATIONS];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
