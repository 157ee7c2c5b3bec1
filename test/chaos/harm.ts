import { roundsOf, type RoundLine } from '../cluster/coordinators.ts';
import { doubledIn, type Ledger } from './ledger.ts';

/** What one harm did to a coordinator, or to a cluster. */
export interface HarmResult {
  readonly harm: string;
  readonly rounds: number;
  /** Rounds that somebody was told of and that are gone, or others now. */
  readonly lost: number;
  /** Rounds that stand twice, or do not build on the one before; leases that two owners had. */
  readonly doubled: number;
  /** 1 where no round was committed in time once the harm was over. */
  readonly stuck: number;
  /** Why attempts ended that came to nothing, as clients were told. */
  readonly reasons: readonly string[];
  /** What else was seen. */
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** How often a harm is done, and who hears of each time. */
export interface HarmOptions {
  readonly times?: number;
  /** Of a harm of many kinds, those with this in their name. */
  readonly only?: string;
  readonly onHarm?: (told: string) => void;
}

/** What was seen of a harm. */
type Seen = Pick<HarmResult, 'stuck' | 'notes' | 'reasons'> & {
  readonly started: number;
  readonly ledger: Ledger;
};

export async function resultOf(
  harm: string,
  { url, ...seen }: Seen & { readonly url: string },
): Promise<HarmResult> {
  return resultFrom(harm, { ...seen, final: await roundsOf(url), twice: 0 });
}

/** @param seen `final`: the rounds in the end; `twice`: numbers that two owners had. */
export function resultFrom(
  harm: string,
  seen: Seen & { readonly final: readonly RoundLine[]; readonly twice: number },
): HarmResult {
  const { started, ledger, final, twice, ...rest } = seen;
  const seconds = (Date.now() - started) / 1_000;
  return {
    harm,
    rounds: final.length,
    lost: ledger.lostIn(final),
    doubled: doubledIn(final) + twice,
    ...rest,
    seconds,
  };
}

/** Why attempts ended, each reason once. */
export const endsOf = (ledger: Ledger): string[] => [...ledger.reasons].sort();
