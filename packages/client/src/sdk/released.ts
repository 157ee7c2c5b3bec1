import { canonicalJson, concatBytes, DecodeError, utf8 } from '@tutti/base';
import { decodeCheckpoint, type Model } from '@tutti/model';
import { openPromotion, type Channel, type SignedPromotion, type TaskInfo } from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import type { ClientStore } from '../ports.ts';
import type { Downloads } from './http.ts';
import type { SharedEngine } from './shared-engine.ts';
import type { KnownTable } from './tables.ts';

/** The model that was put on this device's channel: what it ranks with, where there is one. */
export interface Released {
  /**
   * Asks what the channel has. It is kept once all of it is right: the signatures, the order, the checkpoint; otherwise the last good one
   * stays, and `onProblem` hears why. Never throws.
   */
  renew(task: TaskInfo, signal?: AbortSignal): Promise<void>;
  /** The table of the last good model; undefined where the channel has none, or one of another catalogue. */
  table(): Promise<KnownTable | undefined>;
}

/** What it is made of. */
export interface ReleasedOptions {
  readonly downloads: Downloads;
  readonly crypto: CryptoSuite;
  readonly task: TaskInfo;
  readonly model: Model;
  readonly store: ClientStore;
  readonly engine: SharedEngine;
  readonly channel: Channel;
  readonly onProblem: (error: unknown) => void;
}

/** A promotion, and its checkpoint; empty where the channel has none any more. */
interface Kept {
  readonly bundle: SignedPromotion;
  readonly checkpoint: Uint8Array;
}

export function openReleased(options: ReleasedOptions): Released {
  const { downloads, crypto, task, model, store, engine, channel } = options;
  const { layoutHash, catalogueHash } = task;
  const key = `released-${channel}`;

  const open = (value: unknown): SignedPromotion =>
    openPromotion(value, { task: task.task, channel, coordinatorKey: task.coordinatorKey }, crypto);

  async function kept(): Promise<Kept | undefined> {
    const bytes = await store.get(key);
    if (bytes === undefined) return undefined;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const bundle = open(JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))));
    return { bundle, checkpoint: bytes.slice(4 + length) };
  }

  async function keep({ bundle, checkpoint }: Kept): Promise<void> {
    const text = utf8(canonicalJson(bundle));
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, text.length, true);
    // In one piece: a crash leaves the one before, whole.
    await store.set(key, concatBytes(length, text, checkpoint));
  }

  async function renewed(signal?: AbortSignal): Promise<void> {
    const path = `/api/v1/tasks/${encodeURIComponent(task.task)}/channels/${channel}`;
    const value = await downloads.json(path, { signal, missing: true });
    if (value === undefined) return;
    const bundle = open(value);
    const { manifest, promotion } = bundle;
    const before = (await kept())?.bundle.promotion.sequence ?? 0;
    if (promotion.sequence < before)
      throw new DecodeError(
        'channel.promotion',
        `is number ${promotion.sequence}; number ${before} was seen`,
      );
    if (promotion.sequence === before) return;
    if (manifest === null) return keep({ bundle, checkpoint: new Uint8Array(0) });
    if (manifest.layoutHash !== layoutHash || manifest.catalogueHash !== catalogueHash) return;
    const checkpoint = await downloads.blob(manifest.modelHash, signal === undefined ? {} : { signal });
    decodeCheckpoint(checkpoint, model.layout);
    await keep({ bundle, checkpoint });
  }

  return {
    async renew({ promotions }, signal) {
      if (promotions === undefined) return;
      await renewed(signal).catch(options.onProblem);
    },
    async table() {
      const last = await kept().catch(options.onProblem);
      const manifest = last?.bundle.manifest;
      if (last === undefined || manifest === undefined || manifest === null) return undefined;
      if (manifest.layoutHash !== layoutHash || manifest.catalogueHash !== catalogueHash) return undefined;
      const name = manifest.modelHash;
      const weights = async () => decodeCheckpoint(last.checkpoint, model.layout);
      const loaded = await engine.open({ model, layoutHash, name, weights });
      return { loaded, name, model, shared: async () => (await weights()).shared };
    },
  };
}
