import { canonicalJson, concatBytes, DecodeError, EnvironmentError, UsageError, utf8 } from '@tutti/base';
import { decodeWeights, type LoadedModel, type Model } from '@tutti/model';
import {
  CHANNELS,
  openPromotion,
  type Channel,
  type Manifest,
  type SignedPromotion,
  type TaskInfo,
} from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import type { ClientStore, Comparing } from '../ports.ts';
import { comparing, type Rivals } from './comparing.ts';
import type { Downloads } from './http.ts';
import type { SharedEngine } from './shared-engine.ts';
import { deadlineSignal } from './signals.ts';
import type { KnownTable } from './tables.ts';

/** The models that operators put on this device's channels: what it ranks with, where there is one. */
export interface Channels extends Comparing {
  /**
   * Asks what the channel has. It is kept once all of it is right: the signatures, the order, the checkpoint; otherwise the last good one
   * stays, and `onEvent` hears why. Never throws.
   */
  renew(task: TaskInfo, signal?: AbortSignal): Promise<void>;
  /** The table of the last good model; undefined where the channel has none, or one of another catalogue. */
  table(): Promise<KnownTable | undefined>;
}

/** What it is made of. */
export interface ChannelsOptions {
  readonly downloads: Downloads;
  readonly crypto: CryptoSuite;
  readonly task: TaskInfo;
  readonly model: Model;
  readonly store: ClientStore;
  readonly engine: SharedEngine;
  /** Default `stable`; `canary` falls back on `stable`. */
  readonly channel?: Channel | undefined;
  /** `store`: the coordinator is not asked now, but by {@link Channels.renew}. */
  readonly first?: 'store' | undefined;
  /** Hears a warning `model-refused` where something is not as it should be. */
  readonly onEvent: (event: ModelRefused) => void;
}

/** What a channel has is not as it should be; the last good model stays in use. */
export interface ModelRefused {
  readonly type: 'warning';
  readonly code: 'model-refused';
  readonly message: string;
}

/** How a device comes to its channels: {@link openChannels}, where it has any. */
export type OpenChannels = (options: ChannelsOptions) => Channels;

/** How long is waited for what channels have when a task is learnt: the coordinator may be out of reach. In milliseconds. */
const FIRST_MS = 5_000;

/** @throws {UsageError} for a channel that there is not. */
export function openChannels(options: ChannelsOptions): Channels {
  const { channel = 'stable', task, first } = options;
  if (!CHANNELS.includes(channel))
    throw new UsageError(`channel is ${String(channel)}; ${CHANNELS.join(' or ')} is expected`);
  const names: readonly Channel[] = channel === 'canary' ? ['canary', 'stable'] : ['stable'];
  const each = names.map((name) => openChannel({ ...options, channel: name }));
  const [candidates, incumbents] = CHANNELS.map((name) => openChannel({ ...options, channel: name }));
  async function rivals(sequence: number): Promise<Rivals | undefined> {
    // The incumbent was there before the candidate came; any later word of the operators' ends the comparison.
    const candidate = await candidates?.rival((number) => number === sequence);
    const incumbent = candidate && (await incumbents?.rival((number) => number < sequence));
    return incumbent && { candidate, incumbent };
  }
  const renew: Channels['renew'] = async (info, signal) =>
    void (await Promise.all(each.map((one) => one.renew(info, signal))));
  async function table(): Promise<KnownTable | undefined> {
    for (const one of each) {
      const found = await one.table();
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const asked = first === 'store' ? undefined : renew(task, deadlineSignal(FIRST_MS));
  return {
    renew,
    compare: comparing(rivals),
    async table() {
      const kept = await table();
      // Something is on a channel, and nothing is here yet.
      if (kept !== undefined || task.promotions === undefined) return kept;
      await asked;
      return table();
    },
  };
}

/** A promotion, and its checkpoint; empty where the channel has none any more. */
interface Kept {
  readonly bundle: SignedPromotion;
  readonly checkpoint: Uint8Array;
}

/** One of them. */
interface OneChannel extends Omit<Channels, 'compare'> {
  /** What the coordinator has on it now, where the number of its promotion is one that is wanted. It is not kept. */
  rival(isWanted: (sequence: number) => boolean): Promise<LoadedModel | undefined>;
}

function openChannel(options: ChannelsOptions & { readonly channel: Channel }): OneChannel {
  const { downloads, crypto, task, model, store, engine, channel } = options;
  const { layoutHash, catalogueHash } = task;
  const warn = (error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    options.onEvent({ type: 'warning', code: 'model-refused', message });
  };
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

  /** What the channel has now; undefined where nothing was ever put there, or the coordinator is out of reach. */
  async function asked(signal?: AbortSignal): Promise<SignedPromotion | undefined> {
    const path = `/api/v1/tasks/${encodeURIComponent(task.task)}/channels/${channel}`;
    const value = await downloads.json(path, signal).catch((error: unknown) => {
      if (!(error instanceof EnvironmentError)) throw error;
    });
    return value === undefined ? undefined : open(value);
  }

  const fits = (manifest: Manifest): boolean =>
    manifest.layoutHash === layoutHash && manifest.catalogueHash === catalogueHash;

  const load = (name: string, checkpoint: Uint8Array): Promise<LoadedModel> =>
    engine.open({ model, layoutHash, name, weights: async () => decodeWeights(checkpoint, model.layout) });

  async function rival(isWanted: (sequence: number) => boolean): Promise<LoadedModel | undefined> {
    const { manifest = null, promotion } = (await asked()) ?? {};
    if (manifest === null || promotion === undefined || !isWanted(promotion.sequence) || !fits(manifest))
      return undefined;
    const last = await kept();
    const here = last?.bundle.manifest?.modelHash === manifest.modelHash ? last.checkpoint : undefined;
    return load(manifest.modelHash, here ?? (await downloads.blob(manifest.modelHash)));
  }

  async function renewed(signal?: AbortSignal): Promise<void> {
    const bundle = await asked(signal);
    if (bundle === undefined) return;
    const { manifest, promotion } = bundle;
    const before = (await kept())?.bundle.promotion.sequence ?? 0;
    if (promotion.sequence < before)
      throw new DecodeError(
        'channel.promotion',
        `is number ${promotion.sequence}; number ${before} was seen`,
      );
    if (promotion.sequence === before) return;
    if (manifest === null) return keep({ bundle, checkpoint: new Uint8Array(0) });
    if (!fits(manifest)) return;
    const checkpoint = await downloads.blob(manifest.modelHash, signal === undefined ? {} : { signal });
    decodeWeights(checkpoint, model.layout);
    await keep({ bundle, checkpoint });
  }

  return {
    async renew({ promotions }, signal) {
      if (promotions === undefined) return;
      await renewed(signal).catch(warn);
    },
    // What cannot be had is not compared; what is not as it should be, neither, and the app hears of it.
    rival: async (isWanted) => (await rival(isWanted).catch(warn)) ?? undefined,
    async table() {
      const last = await kept().catch(warn);
      const manifest = last?.bundle.manifest;
      if (last === undefined || manifest === undefined || manifest === null) return undefined;
      if (!fits(manifest)) return undefined;
      const name = manifest.modelHash;
      const loaded = await load(name, last.checkpoint);
      return {
        loaded,
        name,
        model,
        shared: async () => decodeWeights(last.checkpoint, model.layout).shared,
      };
    },
  };
}
