import {
  createLedger,
  recordCorrelated,
  recordRelease,
  unamplifiedEpsilon,
  type Ledger,
  type Release,
} from '@tutti/privacy';
import type { DeviceLedger, Part } from './part.ts';

/** How a device's own ε is told. */
export interface OwnAccount {
  readonly dpDelta: number;
  /** Members of its group that are assumed to add no noise. */
  readonly colluders: number;
}

interface Counted {
  readonly part: Part;
  readonly times: number;
}

const countedOf = ({ open, closed }: DeviceLedger): Counted[] => [
  ...closed,
  ...open.map((part) => ({ part, times: 1 })),
];

/** How many attempts a device sent inputs to, of those that count. */
export const participationsOf = (state: DeviceLedger): number =>
  countedOf(state).reduce((sum, { times }) => sum + times, 0);

/**
 * ε of everything that a device sent inputs to, with `next` on top: what a coordinator's ledger would say of just its parts, unamplified,
 * since whoever sees them come knows. Where the coordinator adds the noise it holds against readers of the model alone.
 *
 * @returns infinity where something was released without noise, or with none but that of the assumed colluders.
 */
export function ownEpsilon(state: DeviceLedger, { dpDelta, colluders }: OwnAccount, next?: Part): number {
  const counted = [...countedOf(state), ...(next === undefined ? [] : [{ part: next, times: 1 }])];
  const quiet = ({ part }: Counted): boolean =>
    part.releases === null || (isDistributed(part) && part.survivors <= colluders);
  if (counted.some(quiet)) return Number.POSITIVE_INFINITY;
  const ledger = composed(counted, ({ releases, survivors }) =>
    (releases ?? []).map((release) => ofMany(release, survivors - colluders)),
  );
  return unamplifiedEpsilon(withCorrelated(ledger, counted, state.lastRound), dpDelta);
}

/** ε of this device's own noise alone, were everybody else to tell what they know; infinity where it added none. */
export function localEpsilon(state: DeviceLedger, dpDelta: number): number {
  const counted = countedOf(state);
  if (counted.some(({ part }) => part.local === null)) return Number.POSITIVE_INFINITY;
  return unamplifiedEpsilon(
    composed(counted, ({ local }) => local ?? []),
    dpDelta,
  );
}

/** @throws {UsageError} where a ledger from a store holds what no mechanism can have. */
export function checkedEpsilon(state: DeviceLedger): void {
  ownEpsilon(state, { dpDelta: 0.5, colluders: 0 });
  localEpsilon(state, 0.5);
}

const isDistributed = ({ releases }: Part): boolean =>
  releases !== null && releases.some(({ mechanism }) => mechanism === 'skellam');

/** One client's noise, as that of `clients`; what the coordinator adds is that of the sum already. */
const ofMany = (release: Release, clients: number): Release =>
  release.mechanism === 'skellam'
    ? { ...release, variance: release.variance * clients, readersVariance: release.variance * clients }
    : release;

function composed(counted: readonly Counted[], releasesOf: (part: Part) => readonly Release[]): Ledger {
  let ledger = createLedger();
  for (const { part, times } of counted) {
    const releases = releasesOf(part);
    if (releases.length === 0) continue;
    const once = recordRelease(createLedger(), releases).rounds[0];
    if (once !== undefined) ledger = { ...ledger, rounds: [...ledger.rounds, { ...once, times }] };
  }
  return ledger;
}

/** Correlated noise is one mechanism over the task: a device costs what as many parts as it had can cost at most. */
function withCorrelated(ledger: Ledger, counted: readonly Counted[], lastRound: number): Ledger {
  const correlated = counted.filter(({ part }) => part.correlated !== null);
  const release = correlated.at(-1)?.part.correlated ?? null;
  if (release === null) return ledger;
  const most = correlated.reduce((sum, { times }) => sum + times, 0);
  const { steps } = release.noise;
  const newest = Math.max(lastRound, ...correlated.map(({ part }) => part.round));
  const rounds = steps * Math.max(Math.ceil(newest / steps), most);
  const grown = recordCorrelated(ledger, { ...release, participation: { ...release.participation, most } });
  return { ...grown, correlated: grown.correlated.map((known) => ({ ...known, rounds })) };
}
