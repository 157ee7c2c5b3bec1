import { frameCount, wordBytes } from '@tutti/protocol';
import type { WordBits } from '@tutti/secure-aggregation';

/** Bytes of a frame's header. */
const FRAME_HEADER_BYTES = 100;

/** Bytes that a vector of `words` words costs on a wire. */
export const uploadBytes = (words: number, wordBits: WordBits): number =>
  wordBytes(wordBits) * words + FRAME_HEADER_BYTES * frameCount(words, wordBits);
