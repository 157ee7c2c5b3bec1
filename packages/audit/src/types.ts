/** What an attack came to. */
export interface AttackResult {
  readonly name: string;
  /** What stands in the attack's way: `none` where it must succeed, which shows that it finds what it looks for. */
  readonly defence: string;
  /** What was measured, in words: of how many, and the chance of a false alarm where chance plays a part. */
  readonly statistic: string;
  readonly value: number;
  /** What the value is held against: at least it where nothing defends, at most it where something does. */
  readonly bound: number;
  readonly verdict: Verdict;
  /** Where the true value lies, at the confidence that `statistic` names. */
  readonly interval?: readonly [low: number, high: number];
  /** Points of the ROC curve, false positive rate and true positive rate. */
  readonly roc?: readonly RocPoint[];
  /** More figures of the same attack, by name. */
  readonly figures?: Readonly<Record<string, number | string>>;
}

/** A point of a ROC curve. */
export type RocPoint = readonly [falsePositiveRate: number, truePositiveRate: number];

/**
 * `defended`: the attack failed, as documented. `exposed`: it succeeded where nothing defends, as documented. The other two are
 * the same facts where the documentation says otherwise, and fail the audit.
 */
export type Verdict = 'defended' | 'exposed' | 'broken' | 'blunt';

/** Whether every verdict is as documented. */
export function isAsDocumented(results: readonly AttackResult[]): boolean {
  return results.every(({ verdict }) => verdict === 'defended' || verdict === 'exposed');
}

/** An attack that something defends against: its value must not be above `bound`. */
export function defended(result: Omit<AttackResult, 'verdict'>): AttackResult {
  return { ...result, verdict: result.value <= result.bound ? 'defended' : 'broken' };
}

/** An attack that nothing defends against: its value must reach `bound`, or the attack proves nothing. */
export function exposed(result: Omit<AttackResult, 'verdict' | 'defence'>): AttackResult {
  return { ...result, defence: 'none', verdict: result.value >= result.bound ? 'exposed' : 'blunt' };
}
