import {
  phaseDigest,
  roundDigest,
  type CoordinatorMessage,
  type CoordinatorMessageOf,
  type RoundDescription,
} from '@tutti/protocol';
import {
  KEY_BUNDLE_BYTES,
  SEALED_SHARE_BYTES,
  type KeyPair,
  type RoundDigest,
} from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { AttemptSetup, RecordedAttempt } from './attempt.ts';

/** What a lie of a coordinator is made of. */

/** Members of each attempt, and the one that is lied to. */
export const MEMBERS = 20;
export const VICTIM = 3;

/** What the victim's policy asks of the noise, and what the truth has. */
export const LEAST_NOISE = 0.01;

/** Members that a roster is cut down to: fewer than masks protect. */
export const FEW = 8;

/** One lie, told under the coordinator's own signature: what the victim is told instead, and what it must answer. */
export interface Lie {
  readonly name: string;
  /** The federation that it is told in; an ordinary one when left out. */
  readonly setting?: Setting;
  readonly tell: (message: CoordinatorMessage, sign: Signer) => readonly CoordinatorMessage[] | undefined;
  /** The victim's reason to decline; or what else must hold afterwards. */
  readonly expected: string | ((attempt: RecordedAttempt) => boolean);
}

/** Signs as the coordinator does: it is the coordinator that lies. */
export interface Signer {
  /** Of the description that everybody was shown. */
  readonly digest: RoundDigest;
  /** The victim's place in the roster. */
  readonly own: number;
  describe(description: RoundDescription): CoordinatorMessageOf<'describe'>;
  roster(message: CoordinatorMessageOf<'roster'>, bundles: Uint8Array): CoordinatorMessage;
  shares(message: CoordinatorMessageOf<'relay-shares'>, shares: Uint8Array): CoordinatorMessage;
  survivors(message: CoordinatorMessageOf<'survivors'>, survivors: Uint8Array): CoordinatorMessage;
  nonces(message: CoordinatorMessageOf<'nonces'>, nonces: Uint8Array): CoordinatorMessage;
  signatures(
    message: CoordinatorMessageOf<'survivor-signatures'>,
    signatures: Uint8Array,
  ): CoordinatorMessage;
}

/** A federation that lies are told in. What is left out is as everywhere in an audit. */
export interface Setting {
  readonly task?: AttemptSetup['task'];
  readonly policy?: AttemptSetup['policy'];
  readonly device?: AttemptSetup['device'];
  readonly noiseMultiplier?: number;
}

/** A description with some fields other than they were agreed. */
export const described =
  (over: (description: RoundDescription) => Partial<RoundDescription>): Lie['tell'] =>
  (message, sign) =>
    message.type === 'describe'
      ? [sign.describe({ ...message.description, ...over(message.description) })]
      : undefined;

/** A roster, or the shares, or the survivors, in another form. */
export const roster =
  (change: (bundles: Uint8Array[], own: number, digest: RoundDigest) => readonly Uint8Array[]): Lie['tell'] =>
  (message, sign) =>
    message.type === 'roster'
      ? [
          sign.roster(
            message,
            joined(change(parts(message.bundles, KEY_BUNDLE_BYTES), sign.own, sign.digest)),
          ),
        ]
      : undefined;
export const relayed =
  (change: (records: Uint8Array[]) => readonly Uint8Array[]): Lie['tell'] =>
  (message, sign) =>
    message.type === 'relay-shares'
      ? [sign.shares(message, joined(change(parts(message.shares, SEALED_SHARE_BYTES))))]
      : undefined;
export const survivors =
  (change: (bitmap: Uint8Array, own: number) => Uint8Array): Lie['tell'] =>
  (message, sign) =>
    message.type === 'survivors'
      ? [sign.survivors(message, change(message.survivors.slice(), sign.own))]
      : undefined;

export const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

export function signer(keyPair: KeyPair, digest: RoundDigest, own: number): Signer {
  const signed = (type: string, group: number, ...body: readonly Uint8Array[]): Uint8Array =>
    nodeCrypto.sign(
      phaseDigest(type, digest, [Uint8Array.of(group & 0xff, group >>> 8), ...body], nodeCrypto),
      keyPair.secretKey,
    );
  return {
    digest,
    own,
    describe(description) {
      const own = roundDigest(description, nodeCrypto);
      const signature = nodeCrypto.sign(phaseDigest('describe', own, [], nodeCrypto), keyPair.secretKey);
      return { type: 'describe', description, signature };
    },
    roster: (message, bundles) => ({
      ...message,
      bundles,
      signature: signed('roster', message.group, Uint8Array.of(message.page, message.pages), bundles),
    }),
    shares: (message, shares) => ({
      ...message,
      shares,
      signature: signed('relay-shares', message.group, shares),
    }),
    nonces: (message, nonces) => ({ ...message, nonces, signature: signed('nonces', message.group, nonces) }),
    signatures: (message, signatures) => ({
      ...message,
      signatures,
      signature: signed('survivor-signatures', message.group, signatures),
    }),
    survivors: (message, bitmap) => ({
      ...message,
      survivors: bitmap,
      signature: signed('survivors', message.group, bitmap),
    }),
  };
}

export const parts = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: bytes.length / size }, (_, i) => bytes.slice(i * size, (i + 1) * size));

export function joined(list: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(list.flatMap((bytes) => [...bytes]));
}

export function withBit(bitmap: Uint8Array, at: number, set: boolean): Uint8Array {
  const mask = 1 << (at & 7);
  bitmap[at >> 3] = set ? (bitmap[at >> 3] as number) | mask : (bitmap[at >> 3] as number) & ~mask;
  return bitmap;
}
