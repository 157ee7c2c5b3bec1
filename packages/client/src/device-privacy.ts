import { localEpsilon, ownEpsilon, participationsOf } from './own-epsilon.ts';
import type { DeviceLedger } from './part.ts';
import type { Policy } from './policy.ts';

/** What a device has spent of its privacy, as it counts it itself: at its policy's δ, unamplified. */
export interface DevicePrivacy {
  /**
   * ε of everything that it sent inputs to, with the noise of those who were in the sums less the assumed colluders; null where a sum
   * had no noise on everything, so that nothing bounds it. 0 where it took no part.
   */
  readonly epsilon: number | null;
  /** ε of its own noise alone, were everybody else to tell what they know; null where it added none. */
  readonly localEpsilon: number | null;
  readonly dpDelta: number;
  /** Attempts that it sent an input to, less those that are known to have released nothing. */
  readonly participations: number;
  /** What its policy allows; null for no limit. */
  readonly epsilonBudget: number | null;
  readonly participationCap: number | null;
}

/** What a ledger comes to, at the δ and beside the limits of a policy. */
export function privacyOf(ledger: DeviceLedger, policy: Policy): DevicePrivacy {
  const { dpDelta, assumedColluders: colluders, epsilonBudget, participationCap } = policy;
  return {
    epsilon: finite(ownEpsilon(ledger, { dpDelta, colluders })),
    localEpsilon: finite(localEpsilon(ledger, dpDelta)),
    dpDelta,
    participations: participationsOf(ledger),
    epsilonBudget: finite(epsilonBudget),
    participationCap: finite(participationCap),
  };
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
