import { DecodeError } from '@tutti/base';
import type { MaskedInput } from '@tutti/secure-aggregation';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeClientMessage, encodeMessage } from './codec.ts';
import { frameCount, frameOf, openUpload, takeFrame } from './frames.ts';
import type { Upload } from './frames.ts';
import { FRAME_BYTES } from './limits.ts';
import type { ClientMessageOf } from './messages.ts';

type Frame = ClientMessageOf<'masked-input'>;
const WORDS_A_FRAME = FRAME_BYTES / 4;

/** Words that differ from their neighbours in every byte. */
function vector(words: number): MaskedInput {
  return Uint32Array.from({ length: words }, (_, i) => Math.imul(i + 1, 0x9e37_79b1)) as MaskedInput;
}

const framesOf = (masked: MaskedInput): Frame[] =>
  Array.from({ length: frameCount(masked.length) }, (_, index) => frameOf(7, masked, index));

describe('frames of a vector', () => {
  it.each([
    [1, 1],
    [WORDS_A_FRAME - 1, 1],
    [WORDS_A_FRAME, 1],
    [WORDS_A_FRAME + 1, 2],
    [3 * WORDS_A_FRAME, 3],
    [4_194_304, 64],
  ])('%d words travel in %d', (words, frames) => {
    expect(frameCount(words)).toBe(frames);
  });

  it('words are little-endian, whatever the machine', () => {
    const frame = frameOf(1, Uint32Array.of(0x0403_0201, 0xffff_fffe) as MaskedInput, 0);
    expect([...frame.bytes]).toEqual([1, 2, 3, 4, 0xfe, 0xff, 0xff, 0xff]);
    expect(frame).toMatchObject({ attempt: 1, index: 0, count: 1, totalBytes: 8 });
  });

  it('leaves the vector as it was, and shares no memory with it', () => {
    const masked = vector(10);
    const before = masked.slice();
    frameOf(1, masked, 0).bytes.fill(0);
    expect(masked).toEqual(before);
  });

  it('each frame survives the wire', () => {
    for (const frame of framesOf(vector(2 * WORDS_A_FRAME + 5)))
      expect(decodeClientMessage(encodeMessage(frame))).toEqual(frame);
  });
});

describe('an upload', () => {
  const LONG = vector(2 * WORDS_A_FRAME + 3);
  const frames = framesOf(LONG);
  const frame = (index: number): Frame => frames[index]!;

  it('taken in order is the vector, and only its last frame completes it', () => {
    let upload = openUpload(LONG.length);
    const kinds = frames.map((part) => {
      const result = takeFrame(upload, part);
      if ('upload' in result) upload = result.upload;
      return result.kind;
    });
    expect(kinds).toEqual(['taken', 'taken', 'complete']);
    expect(upload.next).toBe(3);
    expect(upload.words).toEqual(new Uint32Array(LONG));
  });

  it('asks for the frame that is missing', () => {
    expect(takeFrame(openUpload(LONG.length), frame(1))).toEqual({ kind: 'out-of-order', expected: 0 });
    const begun = takeFrame(openUpload(LONG.length), frame(0)) as { upload: Upload };
    expect(takeFrame(begun.upload, frame(2))).toEqual({ kind: 'out-of-order', expected: 1 });
  });

  it('a frame that came before changes nothing, even with other bytes', () => {
    const begun = (takeFrame(openUpload(LONG.length), frame(0)) as { upload: Upload }).upload;
    const before = begun.words.slice();
    const forged = { ...frame(0), bytes: new Uint8Array(FRAME_BYTES).fill(9) };
    expect(takeFrame(begun, forged)).toEqual({ kind: 'repeated', upload: begun });
    expect(begun.words).toEqual(before);
  });

  it.each([
    ['totalBytes', { totalBytes: 4 * LONG.length + 4 }],
    ['totalBytes', { totalBytes: 4 * LONG.length - 1 }],
    ['count', { count: 2 }],
    ['count', { count: 4 }],
    ['index', { index: 3 }],
    ['bytes', { bytes: new Uint8Array(FRAME_BYTES - 4) }],
    ['bytes', { index: 2, bytes: new Uint8Array(16) }],
    ['bytes', { index: 2, bytes: new Uint8Array(11) }],
  ])('%#: refuses a frame whose %s does not fit the vector, and keeps what it has', (field, change) => {
    const upload = openUpload(LONG.length);
    expect(() => takeFrame(upload, { ...frame(0), ...change })).toThrow(DecodeError);
    expect(() => takeFrame(upload, { ...frame(0), ...change })).toThrow(`masked-input.${field}`);
    expect(upload.words.every((word) => word === 0)).toBe(true);
  });

  it('reads words at any byte offset of what the transport hands over', () => {
    const masked = vector(5);
    const whole = frameOf(1, masked, 0);
    const shifted = new Uint8Array(whole.bytes.length + 3);
    shifted.set(whole.bytes, 3);
    const result = takeFrame(openUpload(5), { ...whole, bytes: shifted.subarray(3) });
    expect((result as { upload: Upload }).upload.words).toEqual(new Uint32Array(masked));
  });

  // The coordinator answers `expected` to a frame out of order; whatever comes, the words are those of the vector.
  it('whatever is lost, repeated or reordered: frames in their order are counted once, nothing else is', () => {
    const deliveries = fc.array(fc.nat(2), { maxLength: 30 });
    fc.assert(
      fc.property(deliveries, (order) => {
        let upload = openUpload(LONG.length);
        let model = 0;
        for (const index of order) {
          const result = takeFrame(upload, frame(index));
          if (index < model) expect(result.kind).toBe('repeated');
          else if (index > model) expect(result).toEqual({ kind: 'out-of-order', expected: model });
          else {
            model += 1;
            expect(result.kind).toBe(model === 3 ? 'complete' : 'taken');
          }
          if ('upload' in result) upload = result.upload;
          expect(upload.next).toBe(model);
        }
        const counted = Math.min(model * WORDS_A_FRAME, LONG.length);
        const expected = new Uint32Array(LONG.length);
        expected.set(LONG.subarray(0, counted));
        return Buffer.compare(Buffer.from(upload.words.buffer), Buffer.from(expected.buffer)) === 0;
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('a sender that follows the answers always gets its vector through', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('lost', 'twice', 'once', 'skip'), { maxLength: 40 }),
        (weather) => {
          let upload = openUpload(LONG.length);
          let sending = 0;
          for (const event of [...weather, 'once', 'once', 'once', 'once', 'once', 'once']) {
            if (sending >= 3) break;
            if (event === 'lost') continue;
            const index = event === 'skip' ? Math.min(2, sending + 1) : sending;
            for (let copy = 0; copy < (event === 'twice' ? 2 : 1); copy++) {
              const result = takeFrame(upload, frame(index));
              if (result.kind === 'out-of-order') sending = result.expected;
              else upload = result.upload;
            }
            sending = upload.next;
          }
          return upload.next === 3 && upload.words.every((word, i) => word === LONG[i]);
        },
      ),
      { numRuns: 40, seed: 4 },
    );
  });
});
