import { FederatedError, toHex } from '@tutti/base';
import {
  CHANNELS,
  manifestDigest,
  promotionDigest,
  type Channel,
  type Manifest,
  type Promotion,
  type SignedPromotion,
} from '@tutti/protocol';
import type { CryptoSuite, KeyPair } from '@tutti/secure-aggregation';
import type { TaskHistory } from './history.ts';
import type { Judgement } from './journal.ts';
import type { PromotionPolicy } from './judge.ts';
import { channelOf, findModel, manifestsOf, type ModelVersion } from './models.ts';
import type { Blobs } from './ports.ts';
import { judgementOfModel } from './trial.ts';

/** Why a channel cannot be changed as it was asked. */
export const REGISTRY_REFUSALS = ['unknown-model', 'gone', 'other-catalogue', 'nothing-promoted'] as const;
export type RegistryRefusal = (typeof REGISTRY_REFUSALS)[number];

const WORDS: Readonly<Record<RegistryRefusal, string>> = {
  'unknown-model': 'there is no such model',
  gone: 'its checkpoint is kept no longer (keepCheckpoints)',
  'other-catalogue': 'it is of a catalogue, or of numbers of the model, before those now',
  'nothing-promoted': 'there is nothing on this channel that could be taken back',
};

/** A channel cannot be changed as it was asked. */
export class RegistryError extends FederatedError {
  override readonly name = 'RegistryError';
  readonly code = 'coordination/registry';
  readonly fault = 'caller' as const;
  constructor(
    readonly task: string,
    readonly reason: RegistryRefusal,
  ) {
    super(`task ${task}: ${WORDS[reason]}`);
  }
}

/** What is asked of a channel. */
export interface ChannelRequest {
  readonly channel: Channel;
  /** Puts the model on it that is named by a hash or a round; null takes the last one off. */
  readonly model: string | null;
  /** Name of whoever asks for it. */
  readonly by: string;
  /** Where it is the policy that asks, after a trial. */
  readonly judged?: Judgement;
}

/** A model with the coordinator's word on it. */
export interface SignedManifest {
  readonly hash: string;
  readonly manifest: Manifest;
  /** Of the manifest's digest, under the coordinator's key, in hexadecimal. */
  readonly signature: string;
  readonly channels: readonly Channel[];
  /** Whether its checkpoint is still there. */
  readonly kept: boolean;
  /** How it was judged when it was a candidate, or is being; null where it was none. */
  readonly judged: Judgement | null;
}

/** What a registry is made of. */
export interface RegistryOptions {
  readonly task: string;
  readonly crypto: CryptoSuite;
  /** The coordinator's. */
  readonly keyPair: KeyPair;
  readonly blobs: Pick<Blobs, 'get'>;
  /** The task's history as it is now. */
  readonly history: () => Promise<TaskHistory>;
  /** How candidates are judged, where they are. */
  readonly policy?: PromotionPolicy | undefined;
  /** Carries a request out where the task is run; durable when it resolves. */
  readonly change: (request: ChannelRequest) => Promise<RegistryRefusal | undefined>;
}

/** The models of a task, and which of them clients rank with. All of it follows from the journal. */
export class Registry {
  constructor(private readonly options: RegistryOptions) {}

  /** Every model there was, the newest first, with the channels that it is on. */
  async models(): Promise<readonly (ModelVersion & { readonly channels: readonly Channel[] })[]> {
    const { task, crypto } = this.options;
    const history = await this.options.history();
    return manifestsOf(task, history, crypto)
      .map((model) => ({ ...model, channels: channelsOf(history, model.hash) }))
      .toReversed();
  }

  /** One model by the hash of its manifest, by the beginning of it, or by its round: the newest of that round. */
  async find(name: string): Promise<SignedManifest | undefined> {
    const { task, crypto, blobs, policy } = this.options;
    const history = await this.options.history();
    const found = findModel(manifestsOf(task, history, crypto), name);
    if (found === undefined) return undefined;
    const { hash, manifest } = found;
    const kept = (await blobs.get(manifest.modelHash)) !== undefined;
    const signature = this.#sign(manifestDigest(manifest, crypto));
    const judged = judgementOfModel({ task, policy, history, crypto }, hash) ?? null;
    return { hash, manifest, signature, channels: channelsOf(history, hash), kept, judged };
  }

  /** What a channel has, signed for clients; undefined where nothing was ever put on it. */
  async current(channel: Channel): Promise<SignedPromotion | undefined> {
    const { task, crypto } = this.options;
    const history = await this.options.history();
    const at = history.promotions.findLastIndex((entry) => entry.channel === channel);
    const entry = history.promotions[at];
    if (entry === undefined) return undefined;
    const { atMs, manifest: named, by } = entry;
    const promotion: Promotion = { v: 1, task, channel, sequence: at + 1, atMs, manifest: named, by };
    const model = named === null ? undefined : findModel(manifestsOf(task, history, crypto), named);
    const manifest = model?.manifest ?? null;
    return {
      promotion,
      promotionSignature: this.#sign(promotionDigest(promotion, crypto)),
      manifest,
      manifestSignature: manifest && this.#sign(manifestDigest(manifest, crypto)),
    };
  }

  /**
   * Puts a model on a channel, or takes the last one off it: the one before is there again, or none. What is there already changes
   * nothing. Durable when it resolves.
   * @throws {RegistryError}
   */
  async change(request: ChannelRequest): Promise<void> {
    const refused = await this.options.change(request);
    if (refused !== undefined) throw new RegistryError(this.options.task, refused);
  }

  #sign(digest: Uint8Array): string {
    const { crypto, keyPair } = this.options;
    return toHex(crypto.sign(digest, keyPair.secretKey));
  }
}

/** Which channels a model is on. */
export const channelsOf = (history: TaskHistory, hash: string): readonly Channel[] =>
  CHANNELS.filter((channel) => channelOf(history, channel).at(-1)?.manifest === hash);
