import { roundsOf } from '../cluster/coordinators.ts';
import { doubledIn, type Ledger } from './ledger.ts';

/** What one harm did to a coordinator, or to a cluster. */
export interface HarmResult {
  readonly harm: string;
  readonly rounds: number;
  /** Rounds that somebody was told of and that are gone, or others now. */
  readonly lost: number;
  /** Rounds that stand twice, or do not build on the one before. */
  readonly doubled: number;
  /** 1 where no round was committed in time once the harm was over. */
  readonly stuck: number;
  /** Why attempts ended that came to nothing, as clients were told. */
  readonly reasons: readonly string[];
  /** What else was seen. */
  readonly notes: readonly string[];
  readonly seconds: number;
}

export async function resultOf(
  harm: string,
  seen: Pick<HarmResult, 'stuck' | 'notes' | 'reasons'> & {
    readonly started: number;
    readonly url: string;
    readonly ledger: Ledger;
  },
): Promise<HarmResult> {
  const { started, url, ledger, ...rest } = seen;
  const final = await roundsOf(url);
  const seconds = (Date.now() - started) / 1_000;
  return {
    harm,
    rounds: final.length,
    lost: ledger.lostIn(final),
    doubled: doubledIn(final),
    ...rest,
    seconds,
  };
}

/** Why attempts ended, each reason once. */
export const endsOf = (ledger: Ledger): string[] => [...ledger.reasons].sort();
