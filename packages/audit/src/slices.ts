import { keepLocal } from '@tutti/base';
import type { DeviceOptions } from '@tutti/client';
import type { LoadedModel } from '@tutti/model';

/** Slices of a catalogue in a recorded attempt. */

/** Somebody who trains on nothing: what is looked at is whether the slice is believed. */
const idle = (length: number): LoadedModel => ({
  train: async (local) => ({
    delta: new Float32Array(length),
    local: local ?? keepLocal(new Float32Array(0)),
    loss: 1,
    examples: 0,
    touchedRows: keepLocal(new Int32Array(0)),
  }),
  personalize: async (local) => local ?? keepLocal(new Float32Array(0)),
  score: async () => keepLocal(new Float32Array(0)),
  rank: async () => keepLocal({ items: new Int32Array(0), scores: new Float32Array(0) }),
  dispose: () => undefined,
});

/** What a device's model store is, for slices: fetched from the coordinator, read by the device's own code. */
export const slicesFrom =
  (blob: (hash: string) => Promise<Uint8Array | undefined>): DeviceOptions['models']['openSlice'] =>
  async ({ slice }, read) => {
    const { rows, model } = read((await blob(slice?.blobHash ?? '')) ?? new Uint8Array(0));
    return { rows, loaded: idle(model.layout.length) };
  };
