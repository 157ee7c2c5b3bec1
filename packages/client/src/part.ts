import type { CorrelatedRelease, Release } from '@tutti/privacy';
import { attemptRelease, graphRules, laneSensitivities, type RoundDescription } from '@tutti/protocol';
import { fewestSurvivors } from '@tutti/secure-aggregation';

/** One attempt that a device sent an input to, as its own accountant counts it. */
export interface Part {
  readonly attempt: number;
  readonly round: number;
  readonly purpose: RoundDescription['purpose'];
  readonly mode: RoundDescription['mode'];
  /** Whether masks hide its input until an unmask request is answered. */
  readonly masked: boolean;
  /** Members of its group that are sure to be in the sum. */
  readonly survivors: number;
  /** What was released, with one client's part of distributed noise; null where something has no noise, and no ε bounds it. */
  readonly releases: readonly Release[] | null;
  /** The same with this device's own noise alone, were everybody else to tell what they know; null where it adds none. */
  readonly local: readonly Release[] | null;
  /** The delta lanes, where the coordinator's noise is correlated over the rounds. */
  readonly correlated: CorrelatedRelease | null;
}

/** Everything that a device sent inputs to. */
export interface DeviceLedger {
  readonly v: 1;
  /** Parts whose attempt may still turn out to have released nothing, or something with more noise. */
  readonly open: readonly Part[];
  /** Parts that stay; equal ones are counted, without the numbers of their attempts. */
  readonly closed: readonly { readonly part: Part; readonly times: number }[];
  /** Round of the newest training part; 0 before the first. */
  readonly lastRound: number;
}

/** Parts of descriptions that are still in use, each with its variance: everyone in a process who is told one and the same asks. */
const parts = new WeakMap<RoundDescription, { readonly variance: number; readonly part: Part }>();

/** What a description would release of this device, as it counts before anything is known of the attempt's end. */
export function partOf(description: RoundDescription, ownDeltaVariance: number): Part {
  const known = parts.get(description);
  if (known?.variance === ownDeltaVariance) return known.part;
  const part = makePart(description, ownDeltaVariance);
  parts.set(description, { variance: ownDeltaVariance, part });
  return part;
}

function makePart(description: RoundDescription, ownDeltaVariance: number): Part {
  const { attempt, round, purpose, mode, noise, cohort } = description;
  const one = { seen: 1, read: 1, sampling: null };
  const released = attemptRelease(description, one);
  return {
    ...{ attempt, round, purpose, mode, masked: description.protection === 'secure' },
    survivors:
      noise.mechanism === 'skellam' ? noise.survivors : fewestSurvivors(cohort, graphRules(description)),
    releases: released?.parts.map(({ lanes: _, ...release }) => release) ?? null,
    local: localReleases(description, ownDeltaVariance),
    correlated: released?.correlated ?? null,
  };
}

/** The lanes with this device's own noise on them; null where one of them has none. */
function localReleases(description: RoundDescription, ownDeltaVariance: number): Release[] | null {
  if (ownDeltaVariance === 0 && description.lanes.delta > 0) return null;
  const { noise } = description;
  const [clipVariance, metricVariance] =
    noise.mechanism === 'skellam' ? [noise.clipVariance, noise.metricVariance] : [0, 0];
  const { delta = 1 } = laneSensitivities(description);
  const own = {
    ...{ mechanism: 'skellam' as const, multiplier: Math.sqrt(ownDeltaVariance) / delta, survivors: 1 },
    ...{ deltaVariance: ownDeltaVariance, clipVariance, metricVariance },
  };
  const released = attemptRelease({ ...description, noise: own }, { seen: 1, read: 1, sampling: null });
  return released?.parts.map(({ lanes: _, ...release }) => release) ?? null;
}
