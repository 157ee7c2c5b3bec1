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
import { JOURNAL_VERSION, type JournalEntry, type TaskHistory } from './journal.ts';
import { channelOf, keptForChannels, manifestsOf, type ModelVersion } from './models.ts';
import type { Serial } from './serial.ts';
import type { TaskParts } from './task-parts.ts';

/** Why a channel cannot be changed as it was asked. */
export const REGISTRY_REFUSALS = ['unknown-model', 'gone', 'other-catalogue', 'nothing-promoted'] as const;
export type RegistryRefusal = (typeof REGISTRY_REFUSALS)[number];

const WORDS: Readonly<Record<RegistryRefusal, string>> = {
  'unknown-model': 'there is no such model',
  gone: 'its checkpoint is kept no longer (keepCheckpoints)',
  'other-catalogue': 'it is of a catalogue before the one now',
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

/** Characters of a hash that name it; a round has fewer digits. */
const SHORTEST_HASH = 12;

/** A model with the coordinator's word on it. */
export interface SignedManifest {
  readonly hash: string;
  readonly manifest: Manifest;
  /** Of the manifest's digest, under the coordinator's key, in hexadecimal. */
  readonly signature: string;
  readonly channels: readonly Channel[];
  /** Whether its checkpoint is still there. */
  readonly kept: boolean;
}

/** The models of a task, and which of them clients rank with. All of it follows from the journal. */
export class Registry {
  constructor(
    private readonly parts: TaskParts,
    private readonly serial: Serial,
  ) {}

  /** Every model there was, the newest first. */
  models(): readonly ModelVersion[] {
    const { config, log, ports } = this.parts;
    return manifestsOf(config.name, log.history, ports.crypto).toReversed();
  }

  /** One model by the hash of its manifest, by the beginning of it, or by its round: the newest of that round. */
  find(name: string): ModelVersion | undefined {
    const isHash = name.length >= SHORTEST_HASH;
    return this.models().find(({ hash, manifest }) =>
      isHash ? hash.startsWith(name) : String(manifest.round) === name,
    );
  }

  /** Which channels a model is on. */
  channelsOf(hash: string): readonly Channel[] {
    return CHANNELS.filter((channel) => channelOf(this.#history, channel).at(-1)?.manifest === hash);
  }

  async signed({ hash, manifest }: ModelVersion): Promise<SignedManifest> {
    const kept = (await this.parts.ports.blobs.get(manifest.modelHash)) !== undefined;
    const signature = this.#sign(manifestDigest(manifest, this.parts.ports.crypto));
    return { hash, manifest, signature, channels: this.channelsOf(hash), kept };
  }

  /** What a channel has, signed for clients; undefined where nothing was ever put on it. */
  current(channel: Channel): SignedPromotion | undefined {
    const { crypto } = this.parts.ports;
    const { promotions } = this.#history;
    const at = promotions.findLastIndex((entry) => entry.channel === channel);
    const entry = promotions[at];
    if (entry === undefined) return undefined;
    const { atMs, manifest: named, by } = entry;
    const task = this.parts.config.name;
    const promotion: Promotion = { v: 1, task, channel, sequence: at + 1, atMs, manifest: named, by };
    const manifest = (named === null ? undefined : this.find(named)?.manifest) ?? null;
    return {
      promotion,
      promotionSignature: this.#sign(promotionDigest(promotion, crypto)),
      manifest,
      manifestSignature: manifest && this.#sign(manifestDigest(manifest, crypto)),
    };
  }

  /** Puts a model on a channel; what is there already changes nothing. Durable when it resolves. @throws {RegistryError} */
  async promote(channel: Channel, name: string, by: string): Promise<void> {
    await this.#change(async () => {
      const { blobs } = this.parts.ports;
      const version = this.find(name);
      if (version === undefined) return 'unknown-model';
      const { modelHash, layoutHash, catalogueHash } = version.manifest;
      const { hashes } = this.#history;
      if (layoutHash !== hashes?.layoutHash || catalogueHash !== hashes.catalogueHash)
        return 'other-catalogue';
      if ((await blobs.get(modelHash)) === undefined) return 'gone';
      if (this.channelsOf(version.hash).includes(channel)) return undefined;
      return { channel, step: 'promote', manifest: version.hash, modelHash, by };
    });
  }

  /** Takes the last model off a channel: the one before it is there again, or none. @throws {RegistryError} */
  async rollback(channel: Channel, by: string): Promise<void> {
    await this.#change(async () => {
      const stack = channelOf(this.#history, channel);
      if (stack.length === 0) return 'nothing-promoted';
      const before = stack.at(-2);
      return {
        ...{ channel, step: 'rollback', by },
        ...{ manifest: before?.manifest ?? null, modelHash: before?.modelHash ?? null },
      };
    });
  }

  get #history(): TaskHistory {
    return this.parts.log.history;
  }

  #sign(digest: Uint8Array): string {
    const { crypto, keyPair } = this.parts.ports;
    return toHex(crypto.sign(digest, keyPair.secretKey));
  }

  /** Writes a change down between other things that happen, and forgets checkpoints that nothing needs any more. */
  async #change(decide: () => Promise<RegistryRefusal | Change | undefined>): Promise<void> {
    const { config, log, ports } = this.parts;
    const refused = await this.serial.run(async () => {
      const change = await decide();
      if (typeof change !== 'object') return change;
      const before = log.history;
      await log.append({ v: JOURNAL_VERSION, type: 'model-promoted', atMs: ports.clock.now(), ...change });
      const { channel, step, by, modelHash } = change;
      ports.emit({ type: 'model-promoted', task: config.name, channel, step, by, modelHash });
      await this.#forget(before);
      return undefined;
    });
    // Whoever asked for it hears of it; it is no failure of the task.
    if (refused !== undefined) throw new RegistryError(config.name, refused);
  }

  async #forget(before: TaskHistory): Promise<void> {
    const { config, log, ports } = this.parts;
    const { rounds, modelHash } = log.history;
    const needed = new Set([
      ...keptForChannels(log.history),
      ...rounds.slice(-config.keepCheckpoints).map((record) => record.modelHash),
      ...(rounds.length < config.keepCheckpoints ? [log.history.created?.modelHash] : []),
      modelHash,
    ]);
    for (const hash of keptForChannels(before)) if (!needed.has(hash)) await ports.blobs.delete(hash);
  }
}

type Change = Omit<Extract<JournalEntry, { type: 'model-promoted' }>, 'v' | 'type' | 'atMs'>;
