import { utf8, wipe } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import type { NodeId } from './sealing.ts';

/**
 * Pads for the parts of a sum. A gateway may hold the input of one client alone, and its part would then be that client's masked input.
 * So each pair of gateways adds a stream that only they make, one with the other sign: each part is noise, and all of them together are
 * the sum.
 */
export interface PadOptions {
  readonly self: NodeId;
  /** All that have a part. */
  readonly gateways: readonly string[];
  /** Fresh for each time that a sum is taken. */
  readonly salt: string;
  readonly secret: Uint8Array;
  readonly crypto: CryptoSuite;
}

/** Adds this gateway's pads to its part, in place, modulo 2³². The parts of all gateways still add up to the sum. */
export function addPadsInPlace(
  part: Uint32Array,
  { self, gateways, salt, secret, crypto }: PadOptions,
): void {
  const streams = gateways
    .filter((other) => other !== self)
    .map((other) => {
      const [first, second] = self < other ? [self, other] : [other, self];
      const seed = crypto.digest('cluster-pad', secret, utf8(salt), utf8(first), utf8(second));
      return { seed, sign: self < other ? (1 as const) : (-1 as const) };
    });
  crypto.addKeystreams(part, streams);
  wipe(...streams.map(({ seed }) => seed));
}
