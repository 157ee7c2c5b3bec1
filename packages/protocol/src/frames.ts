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

/** An empty upload for a vector of `words` words. */
export function openUpload(words: number, wordBits: WordBits): Upload {
  return { words: new Uint32Array(words), wordBits, next: 0 };
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
  const mask = 2 ** wordBits - 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const last = bytes.length / size - 1;
  for (let i = 0; i < last; i++) words[start + i] = view.getUint32(size * i, true) & mask;
  // Behind the last word there may be no byte to read.
  words[start + last] = view.getUint16(size * last, true) | (readHigh(view, size * last + 2) << 16);
}

/** The one or two bytes from `at` to the end. */
const readHigh = (view: DataView, at: number): number =>
  at + 2 > view.byteLength ? view.getUint8(at) : view.getUint16(at, true);
