/** What no attack on an (ε, δ)-private release can exceed, whatever it knows: TPR ≤ e^ε·FPR + δ, and the same from the other side. */

/** ε and δ of a release. */
export interface Guarantee {
  readonly epsilon: number;
  readonly dpDelta: number;
}

/** Largest true positive rate at a false positive rate. @see Kairouz, Oh & Viswanath, ICML 2015, Theorem 2.1. */
export function largestTruePositiveRate({ epsilon, dpDelta }: Guarantee, falsePositiveRate: number): number {
  const growth = Math.exp(epsilon);
  return Math.min(1, growth * falsePositiveRate + dpDelta, 1 - (1 - dpDelta - falsePositiveRate) / growth);
}

/** Largest TPR − FPR: (e^ε − 1 + 2δ)/(e^ε + 1). @see Humphries et al., Investigating Membership Inference Attacks, CSF 2023. */
export function largestAdvantage({ epsilon, dpDelta }: Guarantee): number {
  return Math.min(1, (Math.expm1(epsilon) + 2 * dpDelta) / (Math.exp(epsilon) + 1));
}

/** Largest area under the curve: two lines that meet where TPR − FPR is largest. */
export function largestArea({ epsilon, dpDelta }: Guarantee): number {
  const growth = Math.exp(epsilon);
  const meet = (1 - dpDelta) / (1 + growth);
  const top = dpDelta + growth * meet;
  return (meet * (dpDelta + top)) / 2 + ((1 - meet) * (top + 1)) / 2;
}

/**
 * The guarantee between two updates of one person who takes part in both worlds: take one away, add the other. Neighbours of our ε
 * are worlds with and without a person, so that is two steps.
 */
export function asReplacement({ epsilon, dpDelta }: Guarantee): Guarantee {
  return { epsilon: 2 * epsilon, dpDelta: Math.min(1, (1 + Math.exp(epsilon)) * dpDelta) };
}
