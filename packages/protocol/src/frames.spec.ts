import { DecodeError } from '@tutti/base';
import { WORD_BITS, type MaskedInput, type WordBits } from '@tutti/secure-aggregation';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeClientMessage, encodeMessage } from './codec.ts';
import { addUpload, frameCount, frameOf, openUpload, takeFrame, wipeUpload } from './frames.ts';
import type { Upload } from './frames.ts';
import { FRAME_BYTES } from './limits.ts';
import type { ClientMessageOf } from './messages.ts';

type Frame = ClientMessageOf<'masked-input'>;
const wordsAFrame = (wordBits: WordBits): number => Math.floor((8 * FRAME_BYTES) / wordBits);

/** Words that differ from their neighbours in every byte. */
function vector(words: number): MaskedInput {
  return Uint32Array.from({ length: words }, (_, i) => Math.imul(i + 1, 0x9e37_79b1)) as MaskedInput;
}

const framesOf = (masked: MaskedInput, wordBits: WordBits): Frame[] =>
  Array.from({ length: frameCount(masked.length, wordBits) }, (_, index) =>
    frameOf(7, masked, index, wordBits),
  );

/** What is left of words on the wire: all of them, or the low 24 bits. */
const lowBits = (words: Uint32Array, wordBits: WordBits): Uint32Array =>
  words.map((word) => word & (2 ** wordBits - 1));

/** The words of a whole upload. */
function wordsOf(upload: Upload): Uint32Array {
  const sum = new Uint32Array(upload.words);
  addUpload(sum, upload);
  return sum;
}

const wholeOf = (open: Upload, frames: readonly Frame[]): Upload =>
  frames.reduce((upload, frame) => (takeFrame(upload, frame) as { upload: Upload }).upload, open);

describe('frames of a vector', () => {
  // 256 KiB hold 65,536 words of four bytes, or 87,381 of three and one byte over, which stays empty.
  it.each([
    [32, 1, 1],
    [32, 65_535, 1],
    [32, 65_536, 1],
    [32, 65_537, 2],
    [32, 196_608, 3],
    [32, 4_194_304, 64],
    [24, 1, 1],
    [24, 87_380, 1],
    [24, 87_381, 1],
    [24, 87_382, 2],
    [24, 174_763, 3],
    [24, 4_194_304, 49],
  ] as const)('of %d-bit words: %d travel in %d', (wordBits, words, frames) => {
    expect(frameCount(words, wordBits)).toBe(frames);
  });

  it('words are little-endian, whatever the machine: four bytes, or the low three', () => {
    const words = Uint32Array.of(0x0403_0201, 0xffff_fffe) as MaskedInput;
    const wide = frameOf(1, words, 0, 32);
    expect([...wide.bytes]).toEqual([1, 2, 3, 4, 0xfe, 0xff, 0xff, 0xff]);
    expect(wide).toMatchObject({ attempt: 1, index: 0, count: 1, totalBytes: 8 });
    const packed = frameOf(1, words, 0, 24);
    expect([...packed.bytes]).toEqual([1, 2, 3, 0xfe, 0xff, 0xff]);
    expect(packed).toMatchObject({ attempt: 1, index: 0, count: 1, totalBytes: 6 });
  });
});

describe.each(WORD_BITS)('frames of %d-bit words', (wordBits) => {
  it('leave the vector as it was, and share no memory with it', () => {
    const masked = vector(10);
    const before = masked.slice();
    frameOf(1, masked, 0, wordBits).bytes.fill(0);
    expect(masked).toEqual(before);
  });

  it('each survive the wire', () => {
    for (const frame of framesOf(vector(2 * wordsAFrame(wordBits) + 5), wordBits))
      expect(decodeClientMessage(encodeMessage(frame))).toEqual(frame);
  });

  it.each([1, 2, 3, 4, 5])('hold %d words, however short the vector', (length) => {
    const masked = vector(length);
    const [frame] = framesOf(masked, wordBits);
    const result = takeFrame(openUpload(length, wordBits), frame as Frame);
    expect(result.kind).toBe('complete');
    expect(wordsOf((result as { upload: Upload }).upload)).toEqual(lowBits(masked, wordBits));
  });
});

describe.each(WORD_BITS)('an upload of %d-bit words', (wordBits) => {
  const size = wordBits / 8;
  const WORDS_A_FRAME = wordsAFrame(wordBits);
  const LONG = vector(2 * WORDS_A_FRAME + 3);
  const WHOLE = lowBits(LONG, wordBits);
  const open = (): Upload => openUpload(LONG.length, wordBits);
  const frames = framesOf(LONG, wordBits);
  const frame = (index: number): Frame => frames[index]!;

  it('taken in order is the vector, and only its last frame completes it', () => {
    let upload = open();
    const kinds = frames.map((part) => {
      const result = takeFrame(upload, part);
      if ('upload' in result) upload = result.upload;
      return result.kind;
    });
    expect(kinds).toEqual(['taken', 'taken', 'complete']);
    expect(upload.frames).toHaveLength(3);
    expect(wordsOf(upload)).toEqual(WHOLE);
  });

  it('is added to what is there, modulo 2³², and is no other than it was; wiped, it is zeros', () => {
    const upload = wholeOf(open(), frames);
    const sum = new Uint32Array(LONG.length).fill(0xffff_fff0);
    addUpload(sum, upload);
    addUpload(sum, upload);
    expect(sum).toEqual(WHOLE.map((word) => 2 * word - 16));
    expect(wordsOf(upload)).toEqual(WHOLE);
    const wiped = wholeOf(open(), framesOf(LONG, wordBits));
    wipeUpload(wiped);
    expect(wordsOf(wiped)).toEqual(new Uint32Array(LONG.length));
  });

  it('is in no sum before it is whole, nor in one of another length', () => {
    const sum = new Uint32Array(LONG.length);
    const begun = (takeFrame(open(), frame(0)) as { upload: Upload }).upload;
    expect(() => addUpload(sum, begun)).toThrow('cannot take 1 frames');
    expect(() => addUpload(sum.subarray(1), wholeOf(open(), frames))).toThrow('a sum of');
    expect(sum).toEqual(new Uint32Array(LONG.length));
  });

  it('asks for the frame that is missing', () => {
    expect(takeFrame(open(), frame(1))).toEqual({ kind: 'out-of-order', expected: 0 });
    const begun = takeFrame(open(), frame(0)) as { upload: Upload };
    expect(takeFrame(begun.upload, frame(2))).toEqual({ kind: 'out-of-order', expected: 1 });
  });

  it('a frame that came before changes nothing, even with other bytes', () => {
    const begun = (takeFrame(open(), frame(0)) as { upload: Upload }).upload;
    const before = [...begun.frames];
    const forged = { ...frame(0), bytes: new Uint8Array(size * WORDS_A_FRAME).fill(9) };
    expect(takeFrame(begun, forged)).toEqual({ kind: 'repeated', upload: begun });
    expect(begun.frames).toEqual(before);
  });

  it.each([
    ['totalBytes', { totalBytes: size * LONG.length + size }],
    ['totalBytes', { totalBytes: size * LONG.length - 1 }],
    // The other width's sizes: a client that packs as it was not asked to.
    ['totalBytes', { totalBytes: (7 - size) * LONG.length }],
    ['count', { count: 2 }],
    ['count', { count: 4 }],
    ['index', { index: 3 }],
    ['bytes', { bytes: new Uint8Array(size * WORDS_A_FRAME - size) }],
    ['bytes', { bytes: new Uint8Array(FRAME_BYTES + size) }],
    ['bytes', { bytes: new Uint8Array((7 - size) * 3), index: 2 }],
    ['bytes', { index: 2, bytes: new Uint8Array(3 * size + size) }],
    ['bytes', { index: 2, bytes: new Uint8Array(3 * size - 1) }],
  ])('%#: refuses a frame whose %s does not fit the vector, and keeps what it has', (field, change) => {
    const upload = open();
    expect(() => takeFrame(upload, { ...frame(0), ...change })).toThrow(DecodeError);
    expect(() => takeFrame(upload, { ...frame(0), ...change })).toThrow(`masked-input.${field}`);
    expect(upload.frames).toEqual([]);
  });

  it('reads words at any byte offset of what the transport hands over', () => {
    const masked = vector(5);
    const whole = frameOf(1, masked, 0, wordBits);
    const shifted = new Uint8Array(whole.bytes.length + 3);
    shifted.set(whole.bytes, 3);
    const result = takeFrame(openUpload(5, wordBits), { ...whole, bytes: shifted.subarray(3) });
    expect(wordsOf((result as { upload: Upload }).upload)).toEqual(lowBits(masked, wordBits));
  });

  // The coordinator answers `expected` to a frame out of order; whatever comes, the words are those of the vector.
  it('whatever is lost, repeated or reordered: frames in their order are counted once, nothing else is', () => {
    const deliveries = fc.array(fc.nat(2), { maxLength: 30 });
    fc.assert(
      fc.property(deliveries, (order) => {
        let upload = open();
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
          expect(upload.frames).toHaveLength(model);
        }
        return upload.frames.every((bytes, index) => bytes === frame(index).bytes);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('a sender that follows the answers always gets its vector through', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('lost', 'twice', 'once', 'skip'), { maxLength: 40 }),
        (weather) => {
          let upload = open();
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
            sending = upload.frames.length;
          }
          return Buffer.compare(Buffer.from(wordsOf(upload).buffer), Buffer.from(WHOLE.buffer)) === 0;
        },
      ),
      { numRuns: 40, seed: 4 },
    );
  });
});
