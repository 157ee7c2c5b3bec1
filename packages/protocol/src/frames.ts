import { DecodeError } from '@tutti/base';
import type { MaskedInput } from '@tutti/secure-aggregation';
import { FRAME_BYTES } from './limits.ts';
import type { ClientMessageOf } from './messages.ts';

/** Frames that a vector of `words` words travels in. */
export function frameCount(words: number): number {
  return Math.max(1, Math.ceil((4 * words) / FRAME_BYTES));
}

/** Frame `index` of `masked`: raw little-endian words. Only masked words have a codec. */
export function frameOf(
  attempt: number,
  masked: MaskedInput,
  index: number,
): ClientMessageOf<'masked-input'> {
  const start = (index * FRAME_BYTES) / 4;
  const words = masked.subarray(start, start + FRAME_BYTES / 4);
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < words.length; i++) view.setUint32(4 * i, words[i] as number, true);
  return {
    type: 'masked-input',
    attempt,
    index,
    count: frameCount(masked.length),
    totalBytes: 4 * masked.length,
    bytes,
  };
}

/** A vector on its way in: allocated once, filled frame by frame in order, so a resent frame cannot count twice. */
export interface Upload {
  readonly words: Uint32Array;
  /** The frame that is expected next; equal to the frame count when the vector is whole. */
  readonly next: number;
}

/** An empty upload for a vector of `words` words. */
export function openUpload(words: number): Upload {
  return { words: new Uint32Array(words), next: 0 };
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
  const totalBytes = 4 * upload.words.length;
  const count = frameCount(upload.words.length);
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
  const start = frame.index * FRAME_BYTES;
  const expectedBytes = Math.min(FRAME_BYTES, totalBytes - start);
  if (frame.bytes.length !== expectedBytes)
    throw new DecodeError(
      'masked-input.bytes',
      `has ${frame.bytes.length} bytes; frame ${frame.index} has ${expectedBytes}`,
    );
  if (frame.index < upload.next) return { kind: 'repeated', upload };
  if (frame.index > upload.next) return { kind: 'out-of-order', expected: upload.next };
  writeWords(upload.words, start / 4, frame.bytes);
  const next = { words: upload.words, next: upload.next + 1 };
  return { kind: next.next === count ? 'complete' : 'taken', upload: next };
}

function writeWords(words: Uint32Array, start: number, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; 4 * i < bytes.length; i++) words[start + i] = view.getUint32(4 * i, true);
}
