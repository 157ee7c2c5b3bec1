import { UsageError } from '@tutti/base';
import { checkCorrelated, type CorrelatedNoise } from './correlated.ts';

/**
 * The independent draw of one round, in ring units: discrete Gaussian of k₀ times the deviation that the noise multiplier stands
 * for (k₀ = 1 for trees). The same every time it is asked for the same round. A new array, which the sequence owns.
 */
export type RoundDraw = (round: number) => Int32Array;

/** The correlated noise of a task's rounds, one after another. */
export interface NoiseSequence {
  /**
   * What is added to the sum of `round`, from 1. Rounds may be asked for again and out of order: whatever is not remembered is
   * made again from the draws, so a restart needs nothing but them. A new array, which belongs to the caller.
   */
  incrementOf(round: number): Int32Array;
}

/**
 * The increments of correlated noise: whole numbers, so that sums stay exact.
 *
 * Tree: the noise of all rounds up to t is the sum of the nodes of t's binary form; node t is the draw of round t. Banded: with
 * whole coefficients k and z the draws, n_t = round((z_t − Σ_{i≥1} k_i·n_{t−i}) / k₀). Since the sums x_t are whole too, what is released,
 * x_t + n_t = round((w_t − Σ_{i≥1} k_i·(x + n)_{t−i}) / k₀) with w_t = Σ k_i·x_{t−i} + z_t, follows from w and what was released before:
 * rounding is post-processing of the discrete Gaussian mechanism on w, and costs nothing.
 *
 * @throws {UsageError} for steps or coefficients that cannot be.
 * @see Kairouz et al., Practical and Private (Deep) Learning Without Sampling or Shuffling, ICML 2021, Algorithm 1; Denisov et
 *   al., Improved Differential Privacy for SGD via Optimal Private Linear Operators on Adaptive Streams, NeurIPS 2022.
 */
export function noiseSequence(noise: CorrelatedNoise, draw: RoundDraw): NoiseSequence {
  checkCorrelated(noise);
  const increments =
    noise.mechanism === 'tree' ? treeIncrements(noise.steps, draw) : bandedIncrements(noise, draw);
  return {
    incrementOf(round) {
      if (!(Number.isSafeInteger(round) && round >= 1))
        throw new UsageError(`round ${round}; a whole number from 1 is needed`);
      return increments(round);
    },
  };
}

/** Round t's node comes, and the nodes that it holds go: those of the trailing ones of t − 1. */
function treeIncrements(steps: number, draw: RoundDraw): (round: number) => Int32Array {
  return (round) => {
    const step = ((round - 1) % steps) + 1;
    const before = round - step;
    const increment = draw(round);
    for (let bit = 1; step % (2 * bit) === 0; bit *= 2)
      subtractInPlace(increment, draw(before + step - bit), 1);
    return increment;
  };
}

/** Keeps the increments that the next round needs; makes them again from the run's beginning where it has others. */
function bandedIncrements(
  { steps, coefficients }: Extract<CorrelatedNoise, { mechanism: 'banded' }>,
  draw: RoundDraw,
): (round: number) => Int32Array {
  const [first = 1, ...bands] = coefficients;
  /** The newest increments, newest first, of the run up to `at`. */
  let recent: Int32Array[] = [];
  let at = 0;
  return (round) => {
    const start = round - ((round - 1) % steps);
    if (round <= at || start > at) [recent, at] = [[], start - 1];
    while (at < round) {
      const rest = Float64Array.from(draw(++at));
      bands.forEach((band, i) => {
        const earlier = recent[i];
        if (earlier !== undefined) subtractInPlace(rest, earlier, band);
      });
      const next = Int32Array.from(rest, (value) => Math.round(value / first));
      recent = [next, ...recent].slice(0, Math.max(1, bands.length));
    }
    return (recent[0] as Int32Array).slice();
  };
}

function subtractInPlace(target: Int32Array | Float64Array, values: Int32Array, times: number): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) - times * (values[i] as number);
}
