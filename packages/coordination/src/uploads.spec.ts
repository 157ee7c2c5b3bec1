import { fromHex } from '@tutti/base';
import { frameOf, type ClientMessageOf } from '@tutti/protocol';
import { clientIdOf, type ClientId, type MaskedInput } from '@tutti/secure-aggregation';
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { describe, expect, it } from 'vitest';
import { Uploads } from './uploads.ts';

/** Two frames of 32-bit words: 65,536 fill the first. */
const WORDS = 65_537;
const vector = new Uint32Array(WORDS).fill(7) as MaskedInput;
const frame = (index: number): ClientMessageOf<'masked-input'> => frameOf(1, vector, index, 32);

const clientOf = (number: number): ClientId =>
  clientIdOf(fromHex(number.toString(16).padStart(64, '0')), portableCrypto);

const replyOf = (taken: ReturnType<Uploads['take']>): unknown =>
  taken.kind === 'reply' ? taken.reply : taken.kind;
const FULL = {
  ...{ type: 'refused', reason: 'too-busy', field: 'index', problem: '2 uploads are half done' },
  retryAfterMs: 1_000,
};

describe('uploads that are half done', () => {
  it('have so many places: the next is told when to come back, those that are there go on, and make room', () => {
    const uploads = new Uploads(WORDS, 32, 2);
    const [one, two, three] = [clientOf(1), clientOf(2), clientOf(3)];
    for (const client of [one, two])
      expect(replyOf(uploads.take(client, frame(0), 0))).toEqual({ type: 'accepted', next: 1 });
    expect(replyOf(uploads.take(three, frame(0), 1))).toEqual(FULL);
    // One client has one upload: its first frame again takes no other place.
    expect(replyOf(uploads.take(one, frame(0), 2))).toEqual({ type: 'accepted', next: 1 });
    expect(replyOf(uploads.take(two, frame(1), 3))).toBe('complete');
    expect(replyOf(uploads.take(three, frame(0), 4))).toEqual({ type: 'accepted', next: 1 });
    expect(replyOf(uploads.take(three, frame(1), 5))).toBe('complete');
  });

  it('give their place to another once they rest for ten seconds, the longest first, and begin again', () => {
    const uploads = new Uploads(WORDS, 32, 2);
    const [one, two, three] = [clientOf(1), clientOf(2), clientOf(3)];
    uploads.take(one, frame(0), 0);
    uploads.take(two, frame(0), 0);
    uploads.take(one, frame(0), 5_000);
    expect(replyOf(uploads.take(three, frame(0), 9_999))).toEqual(FULL);
    expect(replyOf(uploads.take(three, frame(0), 10_000))).toEqual({ type: 'accepted', next: 1 });
    expect(replyOf(uploads.take(one, frame(1), 10_000))).toBe('complete');
    expect(replyOf(uploads.take(two, frame(1), 10_000))).toMatchObject({
      reason: 'frame-out-of-order',
      next: 0,
    });
  });

  it('have the bytes of their frames, and wipe those of which nothing is kept, and all once they are forgotten', () => {
    const uploads = new Uploads(WORDS, 32, 2);
    const one = clientOf(1);
    const kept = frame(0);
    const unkept = [
      frame(1),
      frame(0),
      { ...frame(0), count: 3 },
      { ...frame(1), bytes: new Uint8Array(3).fill(7) },
    ];
    uploads.take(one, unkept[0]!, 0);
    uploads.take(one, kept, 0);
    for (const other of unkept.slice(1)) uploads.take(one, other, 0);
    uploads.take(clientOf(2), frame(0), 0);
    const late = frame(0);
    expect(replyOf(uploads.take(clientOf(3), late, 1))).toEqual(FULL);
    const isWiped = ({ bytes }: { bytes: Uint8Array }): boolean => bytes.every((byte) => byte === 0);
    expect([...unkept, late].map(isWiped)).toEqual([true, true, true, true, true]);
    expect(isWiped(kept)).toBe(false);
    uploads.clear();
    expect(isWiped(kept)).toBe(true);
  });

  it('are no more than one frame long where the vector is: nobody is refused then', () => {
    const uploads = new Uploads(4, 32, 1);
    const short = frameOf(1, new Uint32Array(4) as MaskedInput, 0, 32);
    for (const number of [1, 2, 3])
      expect(replyOf(uploads.take(clientOf(number), short, 0))).toBe('complete');
  });
});
