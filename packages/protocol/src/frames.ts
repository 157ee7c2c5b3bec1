import { DecodeError, UsageError, wipe } from '@tutti/base';
import type { MaskedInput, WordBits } from '@tutti/secure-aggregation';
import { FRAME_BYTES } from './limits.ts';
import type { ClientMessageOf } from './messages.ts';

/** Bytes of a word on the wire. */
export const wordBytes = (wordBits: WordBits): number => wordBits / 8;

/** Words of a full frame: as many whole ones as 256 KiB hold. */
const frameWords = (wordBits: WordBits): number => Math.floor(FRAME_BYTES / wordBytes(wordBits));

/** Frames that a vector of `words` words travels in. */
export function frameCount(words: number, wordBits: WordBits): number {
  return Math.max(1, Math.ceil(words / frameWords(wordBits)));
}

/**
 * Frame `index` of `masked`: raw little-endian words, four bytes each, or the low three where words have 24 bits. Only
 * masked words have a codec.
 */
export function frameOf(
  attempt: number,
  masked: MaskedInput,
  index: number,
  wordBits: WordBits,
): ClientMessageOf<'masked-input'> {
  const full = frameWords(wordBits);
  return {
    type: 'masked-input',
    attempt,
    index,
    count: frameCount(masked.length, wordBits),
    totalBytes: wordBytes(wordBits) * masked.length,
    bytes: packWords(masked.subarray(index * full, (index + 1) * full), wordBits),
  };
}

function packWords(words: Uint32Array, wordBits: WordBits): Uint8Array {
  const size = wordBytes(wordBits);
  // Four bytes are written for every word; each word overwrites what the one before it had too many of.
  const bytes = new Uint8Array(size * words.length + 4 - size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < words.length; i++) view.setUint32(size * i, words[i] as number, true);
  return bytes.subarray(0, size * words.length);
}

/**
 * A vector on its way in. Its frames are kept as they came, in order, so a resent one cannot count twice, and are read once, into a sum.
 * They are the upload's own: whoever has it wipes them.
 */
export interface Upload {
  /** Length of its vector. */
  readonly words: number;
  readonly wordBits: WordBits;
  /** Those that came; the vector is whole once all have. */
  readonly frames: readonly Uint8Array[];
}

/** An empty upload of a vector of `words` words. */
export const openUpload = (words: number, wordBits: WordBits): Upload => ({ words, wordBits, frames: [] });

/** What became of a frame. `repeated` frames were taken before and change nothing. */
export type FrameResult =
  | { readonly kind: 'taken' | 'repeated' | 'complete'; readonly upload: Upload }
  | { readonly kind: 'out-of-order'; readonly expected: number };

/**
 * Adds `frame` to `upload`, which has its bytes from then on.
 * @throws {DecodeError} if the frame's count, total or size does not fit the vector that the round asks for.
 */
export function takeFrame(upload: Upload, frame: ClientMessageOf<'masked-input'>): FrameResult {
  const { words, wordBits, frames } = upload;
  const size = wordBytes(wordBits);
  const totalBytes = size * words;
  const count = frameCount(words, wordBits);
  if (frame.totalBytes !== totalBytes)
    throw new DecodeError(
      'masked-input.totalBytes',
      `is ${frame.totalBytes}; this round's vector has ${totalBytes}`,
    );
  if (frame.count !== count)
    throw new DecodeError(
      'masked-input.count',
      `is ${frame.count}; ${totalBytes} bytes travel in ${count} frames`,
    );
  if (frame.index >= count)
    throw new DecodeError('masked-input.index', `is ${frame.index}; the last frame is ${count - 1}`);
  const expectedBytes = size * Math.min(frameWords(wordBits), words - frame.index * frameWords(wordBits));
  if (frame.bytes.length !== expectedBytes)
    throw new DecodeError(
      'masked-input.bytes',
      `has ${frame.bytes.length} bytes; frame ${frame.index} has ${expectedBytes}`,
    );
  if (frame.index < frames.length) return { kind: 'repeated', upload };
  if (frame.index > frames.length) return { kind: 'out-of-order', expected: frames.length };
  const next = { ...upload, frames: [...frames, frame.bytes] };
  return { kind: next.frames.length === count ? 'complete' : 'taken', upload: next };
}

/**
 * sum += the words of a whole upload modulo 2³², in place, in one pass from the frames as they came: unpacked into a vector first, it
 * takes more than twice as long.
 * @throws {UsageError} if the vector is not whole or not as long as the sum.
 */
export function addUpload(sum: Uint32Array, { words, wordBits, frames }: Upload): void {
  if (sum.length !== words || frames.length !== frameCount(words, wordBits))
    throw new UsageError(
      `a sum of ${sum.length} words cannot take ${frames.length} frames of a vector of ${words}`,
    );
  // As signed numbers they stay small integers, which are added much faster.
  const to = new Int32Array(sum.buffer, sum.byteOffset, sum.length);
  const add = wordBits === 32 ? addFours : addThrees;
  frames.forEach((bytes, index) => {
    const start = index * frameWords(wordBits);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    add(to.subarray(start, start + bytes.length / wordBytes(wordBits)), view);
  });
}

/** Wipes the frames of an upload that nobody needs any more. */
export function wipeUpload({ frames }: Upload): void {
  wipe(...frames);
}

function addFours(to: Int32Array, view: DataView): void {
  for (let i = 0; i < to.length; i++) to[i] = ((to[i] as number) + view.getInt32(4 * i, true)) | 0;
}

/** Four words of three bytes are three of four. */
function addThrees(to: Int32Array, view: DataView): void {
  const whole = to.length & ~3;
  for (let i = 0, at = 0; i < whole; i += 4, at += 12) {
    const first = view.getInt32(at, true);
    const second = view.getInt32(at + 4, true);
    const third = view.getInt32(at + 8, true);
    to[i] = ((to[i] as number) + (first & 0xffffff)) | 0;
    to[i + 1] = ((to[i + 1] as number) + ((first >>> 24) | ((second & 0xffff) << 8))) | 0;
    to[i + 2] = ((to[i + 2] as number) + ((second >>> 16) | ((third & 0xff) << 16))) | 0;
    to[i + 3] = ((to[i + 3] as number) + (third >>> 8)) | 0;
  }
  for (let i = whole; i < to.length; i++) {
    const word = view.getUint16(3 * i, true) | (view.getUint8(3 * i + 2) << 16);
    to[i] = ((to[i] as number) + word) | 0;
  }
}
