import { createCipheriv } from 'node:crypto';
import { secretBytes, utf8, type SecureRandom } from '@tutti/base';
import { nodeCrypto } from '@tutti/secure-aggregation/node';

/** Randomness that starts anew, from a secret, with every message that a device is told. */
export interface ReplayableRandom {
  readonly random: SecureRandom;
  /** From here on the stream is that of message `message` of request `turn`, from its beginning. */
  turnTo(turn: number, message: number): void;
}

/**
 * Cryptographic randomness that can be drawn again by whoever holds `secret`: devices whose host is lost in mid-round come to the same
 * keys elsewhere when they are told the same again. A ChaCha20 stream for each message, under a key of its own.
 * @param secret 32 bytes of the system's generator, never a simulation's seed.
 */
export function replayableRandom(secret: Uint8Array): ReplayableRandom {
  let stream = streamOf(secret, 0, 0);
  const bytes = (length: number): Uint8Array => {
    const out = secretBytes(length);
    out.set(stream.update(out));
    return out;
  };
  return {
    // As unpredictable as its secret, which is the system's.
    random: { bytes } as SecureRandom,
    turnTo: (turn, message) => void (stream = streamOf(secret, turn, message)),
  };
}

function streamOf(secret: Uint8Array, turn: number, message: number): ReturnType<typeof createCipheriv> {
  const key = nodeCrypto.digest('simulated randomness', secret, utf8(`${turn}/${message}`));
  return createCipheriv('chacha20', key, new Uint8Array(16));
}
