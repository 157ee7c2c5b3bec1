import { canonicalJson, DecodeError, fromHex, toHex, utf8 } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { hex32, taskName } from './fields.ts';
import { between, integer, object, oneOf, textLike, textUpTo, type Decoded, type Decoder } from './schema.ts';

/** Channels that a model can be put on: what clients rank with, and what those of a trial do. */
export const CHANNELS = ['canary', 'stable'] as const;
export type Channel = (typeof CHANNELS)[number];

const orNull =
  <T>(decoder: Decoder<T>): Decoder<T | null> =>
  (value, path) =>
    value === null ? null : decoder(value, path);

const count = integer(0, 0xffff_ffff);
const figure = between(-Number.MAX_VALUE, Number.MAX_VALUE);
const milliseconds = between(0, Number.MAX_SAFE_INTEGER);
const signature = textLike(/^[0-9a-f]{128}$/, '64 bytes of lower-case hexadecimal are expected');

const manifestDecoder = object({
  v: oneOf([1]),
  task: taskName,
  /** Updates that were made until this model. */
  round: count,
  /** The first weights, an update, or the same with other rows: a catalogue that changed. */
  kind: oneOf(['first', 'round', 'catalogue']),
  atMs: milliseconds,
  /** Content address of the checkpoint. */
  modelHash: hex32,
  layoutHash: hex32,
  catalogueHash: hex32,
  /** Hash of the manifest of the model that it was made from; null for the first weights. */
  parent: orNull(hex32),
  /** How many were asked, shared keys, and are in the sum. */
  cohort: orNull(object({ selected: count, cohort: count, reported: count })),
  /** ε spent up to and with this model; null where it is not counted. */
  epsilon: orNull(object({ coordinator: orNull(figure), readers: orNull(figure) })),
  /** What the secure lanes of its round told, of the model that it was made from. */
  metrics: orNull(
    object({
      ...{ hr10: orNull(figure), ndcg10: orNull(figure), rmse: orNull(figure) },
      ...{ loss: orNull(figure), evaluated: figure },
    }),
  ),
});

/** What a model is, where it comes from, and what is known of it. */
export type Manifest = Readonly<Decoded<typeof manifestDecoder>>;

const promotionDecoder = object({
  v: oneOf([1]),
  task: taskName,
  channel: oneOf(CHANNELS),
  /** Counts promotions and rollbacks of a task: a later one counts. */
  sequence: integer(1, 0xffff_ffff),
  atMs: milliseconds,
  /** Hash of the manifest that the channel has from now on; null: it has none, and clients take the newest model. */
  manifest: orNull(hex32),
  /** Name of whoever put it there. */
  by: textUpTo(63),
});

/** That a model was put on a channel. */
export type Promotion = Readonly<Decoded<typeof promotionDecoder>>;

const bundleDecoder = object({
  promotion: promotionDecoder,
  promotionSignature: signature,
  manifest: orNull(manifestDecoder),
  manifestSignature: orNull(signature),
});

/** What a channel has, signed by the coordinator. */
export type SignedPromotion = Readonly<Decoded<typeof bundleDecoder>>;

/** A manifest from outside. @throws {DecodeError} naming the field. */
export const decodeManifest = (value: unknown): Manifest => manifestDecoder(value, 'manifest');

/** Bytes that are signed, and name a manifest: H("manifest", canonical JSON). */
export const manifestDigest = (manifest: Manifest, crypto: CryptoSuite): Uint8Array =>
  crypto.digest('manifest', utf8(canonicalJson(manifest)));

/** Bytes that are signed: H("promotion", canonical JSON). */
export const promotionDigest = (promotion: Promotion, crypto: CryptoSuite): Uint8Array =>
  crypto.digest('promotion', utf8(canonicalJson(promotion)));

/**
 * What a channel has, from outside: believed only under the coordinator's signatures.
 * @throws {DecodeError} naming what is wrong: the form, the task or channel, a signature, a manifest that is not the one that is named.
 */
export function openPromotion(
  value: unknown,
  expected: { readonly task: string; readonly channel: Channel; readonly coordinatorKey: string },
  crypto: CryptoSuite,
): SignedPromotion {
  const bundle = bundleDecoder(value, 'channel');
  const { promotion, manifest, promotionSignature, manifestSignature } = bundle;
  const key = fromHex(expected.coordinatorKey);
  const refuse = (field: string, problem: string): never => {
    throw new DecodeError(`channel.${field}`, problem);
  };
  if (promotion.task !== expected.task || promotion.channel !== expected.channel)
    refuse('promotion', `is of ${promotion.task} ${promotion.channel}`);
  if (!crypto.verify(promotionDigest(promotion, crypto), fromHex(promotionSignature), key))
    refuse('promotionSignature', 'is not the coordinator’s');
  if (manifest === null || manifestSignature === null)
    return promotion.manifest === null ? bundle : refuse('manifest', 'is missing');
  const digest = manifestDigest(manifest, crypto);
  if (toHex(digest) !== promotion.manifest || manifest.task !== promotion.task)
    refuse('manifest', 'is not the one that is named');
  if (!crypto.verify(digest, fromHex(manifestSignature), key))
    refuse('manifestSignature', 'is not the coordinator’s');
  return bundle;
}
