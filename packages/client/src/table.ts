import type { LocalOnly } from '@tutti/base';
import type { RoundDescription } from '@tutti/protocol';
import { Declined } from './declined.ts';
import type { DeviceRecord } from './device-record.ts';
import type { DeviceOptions } from './ports.ts';
import { readSlice, withinRows, type OpenTable } from './slice.ts';

/** The checkpoint, or the slice, that a description names. @throws {Declined} where it cannot be had or does not fit. */
export async function openTable(
  { models, model, crypto }: DeviceOptions,
  description: RoundDescription,
): Promise<OpenTable> {
  try {
    return description.slice === undefined
      ? { loaded: await models.open(description.modelHash) }
      : await models.openSlice(description, (bytes) => readSlice(bytes, description, model, crypto));
  } catch {
    throw new Declined('wrong-model');
  }
}

/** The person's vector, fitted to a table. */
export async function personVector(
  { seeds: seedsOf, data }: DeviceOptions,
  record: DeviceRecord,
  { loaded, rows }: OpenTable,
): Promise<LocalOnly<Float32Array>> {
  const seeds = seedsOf(0);
  const examples = withinRows(await data(), rows, seeds);
  return loaded.personalize(await record.vector(), examples, seeds);
}
