import { DecodeError } from '@tutti/base';
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

/** A vector on its way in: allocated once, filled frame by frame in order, so a resent frame cannot count twice. */
export interface Upload {
  readonly words: Uint32Array;
  readonly wordBits: WordBits;
  /** The frame that is expected next; equal to the frame count when the vector is whole. */
  readonly next: number;
}

/** An empty upload. @param words the length of its vector, or the vector that it is put together in. */
export function openUpload(words: number | Uint32Array, wordBits: WordBits): Upload {
  return { words: typeof words === 'number' ? new Uint32Array(words) : words, wordBits, next: 0 };
}

/** What became of a frame. `repeated` frames were taken before and change nothing. */
export type FrameResult =
  | { readonly kind: 'taken' | 'repeated' | 'complete'; readonly upload: Upload }
  | { readonly kind: 'out-of-order'; readonly expected: number };

/**
 * Adds `frame` to `upload`, writing into its words in place.
 * @throws {DecodeError} if the frame's count, total or size does not fit the vector that the round asks for.
 */
export function takeFrame(upload: Upload, frame: ClientMessageOf<'masked-input'>): FrameResult {
  const { words, wordBits } = upload;
  const size = wordBytes(wordBits);
  const totalBytes = size * words.length;
  const count = frameCount(words.length, wordBits);
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
  const start = frame.index * frameWords(wordBits);
  const expectedBytes = size * Math.min(frameWords(wordBits), words.length - start);
  if (frame.bytes.length !== expectedBytes)
    throw new DecodeError(
      'masked-input.bytes',
      `has ${frame.bytes.length} bytes; frame ${frame.index} has ${expectedBytes}`,
    );
  if (frame.index < upload.next) return { kind: 'repeated', upload };
  if (frame.index > upload.next) return { kind: 'out-of-order', expected: upload.next };
  unpackWords(words, start, frame.bytes, wordBits);
  const next = { ...upload, next: upload.next + 1 };
  return { kind: next.next === count ? 'complete' : 'taken', upload: next };
}

function unpackWords(words: Uint32Array, start: number, bytes: Uint8Array, wordBits: WordBits): void {
  const size = wordBytes(wordBits);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // As signed numbers they stay small integers, which are much faster.
  const to = new Int32Array(words.buffer, words.byteOffset + 4 * start, bytes.length / size);
  if (size === 4) for (let i = 0; i < to.length; i++) to[i] = view.getInt32(4 * i, true);
  else unpackThrees(to, view);
}

/** Four words of three bytes are three of four. */
function unpackThrees(to: Int32Array, view: DataView): void {
  const whole = to.length - (to.length % 4);
  for (let i = 0, at = 0; i < whole; i += 4, at += 12) {
    const first = view.getInt32(at, true);
    const second = view.getInt32(at + 4, true);
    const third = view.getInt32(at + 8, true);
    to[i] = first & 0xffffff;
    to[i + 1] = (first >>> 24) | ((second & 0xffff) << 8);
    to[i + 2] = (second >>> 16) | ((third & 0xff) << 16);
    to[i + 3] = third >>> 8;
  }
  for (let i = whole; i < to.length; i++)
    to[i] = view.getUint16(3 * i, true) | (view.getUint8(3 * i + 2) << 16);
}
