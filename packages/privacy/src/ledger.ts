import { composeRdp, gaussianRdp, rdpToEpsilon, skellamRdp, subsampledRdp, type Rdp } from './accountant.ts';

/** One release that a person's data went into. */
export type Release =
  | { readonly mechanism: 'gaussian'; readonly noiseMultiplier: number; readonly sampling: number | null }
  | {
      readonly mechanism: 'skellam';
      readonly l1: number;
      readonly l2: number;
      readonly variance: number;
      readonly sampling: number | null;
    };

/** What was released, with how often. `sampling` is null where who takes part is not sampled in secret. */
export interface Ledger {
  readonly releases: readonly { readonly release: Release; readonly times: number }[];
}

/** What is spent: against the coordinator, which sees who took part, and against readers of the model. */
export interface Spent {
  readonly coordinator: number;
  /** Amplified by sampling; null where sampling is not Poisson and secret. */
  readonly readers: number | null;
}

/** A ledger of nothing. */
export const EMPTY_LEDGER: Ledger = { releases: [] };

/** The ledger with one release more. */
export function recordRelease(ledger: Ledger, release: Release): Ledger {
  const name = JSON.stringify(release);
  const known = ledger.releases.find((entry) => JSON.stringify(entry.release) === name);
  if (known === undefined) return { releases: [...ledger.releases, { release, times: 1 }] };
  return {
    releases: ledger.releases.map((entry) => (entry === known ? { release, times: entry.times + 1 } : entry)),
  };
}

/** ε at δ of everything in the ledger. */
export function spent(ledger: Ledger, dpDelta: number): Spent {
  if (ledger.releases.length === 0) return { coordinator: 0, readers: 0 };
  const whole = ledger.releases.map(({ release, times }) => ({ rdp: rdpOf(release), times }));
  const sampled = ledger.releases.every(({ release }) => release.sampling !== null);
  const amplified = sampled
    ? ledger.releases.map(({ release, times }) => ({
        rdp: subsampledRdp(rdpOf(release), release.sampling ?? 1),
        times,
      }))
    : undefined;
  return {
    coordinator: rdpToEpsilon(composeRdp(whole), dpDelta).epsilon,
    readers: amplified === undefined ? null : rdpToEpsilon(composeRdp(amplified), dpDelta).epsilon,
  };
}

function rdpOf(release: Release): Rdp {
  return release.mechanism === 'gaussian' ? gaussianRdp(release.noiseMultiplier) : skellamRdp(release);
}
