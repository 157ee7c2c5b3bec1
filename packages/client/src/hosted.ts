import type { LocalOnly } from '@tutti/base';
import type { DeclineReason, RoundDescription } from '@tutti/protocol';
import { contribute, type Trained } from './contribution.ts';
import { reasonOf } from './declined.ts';
import { DeviceRecord } from './device-record.ts';
import { ownDeltaVariance, type Policy } from './policy.ts';
import type { DeviceOptions } from './ports.ts';
import type { OpenTable } from './slice.ts';
import { openTable, personVector } from './table.ts';

/**
 * A device whose host adds up what comes of it, and exchanges no messages with it: a plain attempt's part of a simulation. It trains and
 * keeps what a {@link createDevice} trains and keeps. It checks no signature and counts no part in a ledger, for there is nobody between the two;
 * whether its policy takes part is for its host to ask (`declineReason`).
 */
export interface HostedDevice {
  /** This attempt's integers, or why there are none. */
  contribute(description: RoundDescription): Promise<Trained | { readonly declined: DeclineReason }>;
  /** The person's vector, fitted to what of the table is here: what ranks. It stays on the device. */
  vector(table: OpenTable): Promise<LocalOnly<Float32Array>>;
}

/** Creates the hosted device of one person for one task. */
export function createHostedDevice(options: DeviceOptions): HostedDevice {
  const record = new DeviceRecord(options.store, options.model.localLength);
  return {
    async contribute(description) {
      try {
        const table = await openTable(options, description);
        const trained = await contribute(options, description, table, await record.vector());
        if (description.purpose === 'train') await record.keepVector(trained.local);
        return trained;
      } catch (error) {
        return { declined: reasonOf(error) };
      }
    },
    vector: (table) => personVector(options, record, table),
  };
}

/** Whether an attempt's inputs may be in ranges: nothing hides them, and no lane of theirs has noise. */
export const mayBeRanged = (description: RoundDescription, policy: Policy): boolean =>
  description.protection === 'plain' &&
  description.noise.mechanism !== 'skellam' &&
  ownDeltaVariance(policy, description) === 0;
