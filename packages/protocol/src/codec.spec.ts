import { DecodeError, UsageError } from '@tutti/base';
import { KEY_BUNDLE_BYTES, SEALED_SHARE_BYTES } from '@tutti/secure-aggregation';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARBITRARIES, bytesOf, DECODERS, DESCRIPTION, SAMPLES, sideOf, type Side } from '../test/samples.ts';
import {
  decodeClientMessage,
  decodeCoordinatorMessage,
  decodeReply,
  encodeMessage,
  viewClientMessage,
} from './codec.ts';
import { FRAME_BYTES, MAX_GROUP, MAX_HEADER_BYTES, MAX_MESSAGE_BYTES, PROTOCOL_VERSION } from './limits.ts';
import { CLIENT_MESSAGES, COORDINATOR_MESSAGES, REPLIES } from './messages.ts';
import type { Message } from './messages.ts';

const types = Object.keys(SAMPLES) as Message['type'][];
const encode = (message: unknown): Uint8Array => encodeMessage(message as never);

/** Bytes laid out by hand, so that no test of the decoder depends on the encoder. */
function wire(
  code: number,
  header: unknown,
  parts: readonly Uint8Array[] = [],
  version = PROTOCOL_VERSION,
): Uint8Array {
  const text =
    header instanceof Uint8Array
      ? header
      : new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out: number[] = [version, code, text.length & 0xff, text.length >> 8, ...text];
  for (const part of parts)
    out.push(
      part.length & 0xff,
      (part.length >> 8) & 0xff,
      (part.length >> 16) & 0xff,
      part.length >>> 24,
      ...part,
    );
  return Uint8Array.from(out);
}

function refusal(run: () => unknown): DecodeError {
  try {
    run();
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the table of messages', () => {
  const ranges = [
    ['client', CLIENT_MESSAGES, 1, 31],
    ['coordinator', COORDINATOR_MESSAGES, 32, 63],
    ['reply', REPLIES, 64, 95],
  ] as const;

  it.each(ranges)('%s codes stay in their range', (_, table, least, most) => {
    for (const { code } of Object.values(table)) {
      expect(code).toBeGreaterThanOrEqual(least);
      expect(code).toBeLessThanOrEqual(most);
    }
  });

  it('no code and no type is used twice, and each type has a sample', () => {
    const entries = ranges.flatMap(([, table]) => Object.entries<{ code: number }>(table));
    expect(new Set(entries.map(([, { code }]) => code)).size).toBe(entries.length);
    expect(entries.map(([type]) => type).sort()).toEqual([...types].sort());
  });

  // A number that changed is another protocol: an old client would read one message as another.
  it('numbers are those of versions 1 and 2', () => {
    const codes = Object.fromEntries(
      ranges.flatMap(([, table]) => Object.entries(table).map(([type, { code }]) => [type, code])),
    );
    expect(codes).toEqual({
      hello: 1,
      'check-in': 2,
      decline: 3,
      'advertise-keys': 4,
      'share-keys': 5,
      'masked-input': 6,
      unmask: 7,
      'reveal-nonce': 8,
      'sign-survivors': 9,
      challenge: 32,
      describe: 33,
      roster: 34,
      'relay-shares': 35,
      survivors: 36,
      outcome: 37,
      nonces: 38,
      'survivor-signatures': 39,
      welcome: 64,
      waiting: 65,
      later: 66,
      accepted: 67,
      refused: 68,
    });
  });

  it('every part fits into a message beside the largest header', () => {
    const sum = (parts: Readonly<Record<string, readonly [number, number]>>) =>
      Object.values(parts).reduce((total, [, most]) => total + 4 + most, 0);
    const bulk = ranges.flatMap(([, table]) =>
      Object.entries<{ parts: Readonly<Record<string, readonly [number, number]>> }>(table),
    );
    for (const [type, { parts }] of bulk)
      expect(4 + MAX_HEADER_BYTES + sum(parts), type).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  });
});

describe('round trips', () => {
  it.each(types)('%s: a sample', (type) => {
    const message = SAMPLES[type];
    expect(DECODERS[sideOf(message)](encode(message))).toEqual(message);
  });

  it.each(types)('%s: any valid message, as bytes at any offset of a shared buffer', (type) => {
    fc.assert(
      fc.property(ARBITRARIES[type] as fc.Arbitrary<Message>, fc.nat(7), (message, offset) => {
        const bytes = encode(message);
        const shared = new Uint8Array(bytes.length + 16).fill(0xee);
        shared.set(bytes, offset);
        const decode = DECODERS[sideOf(message)];
        expect(decode(shared.subarray(offset, offset + bytes.length))).toEqual(message);
        expect(decode(bytes.slice().buffer)).toEqual(message);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('layout by hand: version, code, header length, header, then each part with its length', () => {
    const message = SAMPLES['share-keys'];
    expect(encode(message)).toEqual(wire(5, '{"attempt":5}', [message.shares]));
  });

  it('a decoded part is a copy: the transport may reuse its buffer', () => {
    const bytes = encode(SAMPLES['share-keys']);
    const message = decodeClientMessage(bytes);
    bytes.fill(0);
    expect(message).toEqual(SAMPLES['share-keys']);
  });

  it('a frame can be left where it came; nothing else is', () => {
    const frame = encode(SAMPLES['masked-input']);
    const seen = viewClientMessage(frame);
    expect(seen).toEqual(decodeClientMessage(frame));
    expect((seen as { bytes: Uint8Array }).bytes.buffer).toBe(frame.buffer);
    const shares = encode(SAMPLES['share-keys']);
    const kept = viewClientMessage(shares);
    shares.fill(0);
    expect(kept).toEqual(SAMPLES['share-keys']);
  });

  it('encoding leaves the message as it was', () => {
    const message = structuredClone(SAMPLES.hello);
    encode(message);
    expect(message).toEqual(SAMPLES.hello);
  });

  it('a whole frame fits', () => {
    const message = {
      ...SAMPLES['masked-input'],
      totalBytes: FRAME_BYTES,
      bytes: new Uint8Array(FRAME_BYTES).fill(3),
    };
    expect(decodeClientMessage(encode(message))).toEqual(message);
  });
});

describe('what is refused, and the field that is named', () => {
  const hello = SAMPLES.hello;
  const helloHeader = { protocol: 2, task: 'films' };
  const helloParts = [hello.identityKey, hello.signature];
  const whole = wire(1, helloHeader, helloParts);

  it.each([
    ['text', 'message'],
    [null, 'message'],
    [undefined, 'message'],
    [[1, 2, 3, 4], 'message'],
    [new Uint16Array(8), 'message'],
    [{ length: 4 }, 'message'],
    [new Uint8Array(0), 'message'],
    [new Uint8Array(3), 'message'],
    [new Uint8Array(MAX_MESSAGE_BYTES + 1), 'message'],
    [wire(1, helloHeader, helloParts, 0), 'protocol'],
    [wire(1, helloHeader, helloParts, 1), 'protocol'],
    [wire(0, {}), 'code'],
    [wire(10, {}), 'code'],
    [wire(255, {}), 'code'],
    [Uint8Array.of(2, 2, 0xff, 0xff), 'header'],
    [Uint8Array.of(2, 2, 3, 0, 0x7b, 0x7d), 'header'],
    [wire(2, ''), 'check-in.header'],
    [wire(2, '{'), 'check-in.header'],
    [wire(2, '{}{}'), 'check-in.header'],
    [wire(2, Uint8Array.of(0x22, 0xff, 0x22)), 'check-in.header'],
    [wire(2, '[]'), 'check-in'],
    [wire(2, 'null'), 'check-in'],
    [wire(2, '"x"'), 'check-in'],
    [wire(2, { extra: 1 }), 'check-in.extra'],
    [wire(2, '{"__proto__":{"attempt":1}}'), 'check-in.__proto__'],
    [wire(3, { attempt: 1, reason: 'no-data', type: 'hello' }), 'decline.type'],
    [wire(3, { attempt: 1 }), 'decline.reason'],
    [wire(3, { attempt: 1, reason: 'other' }), 'decline.reason'],
    [wire(3, { attempt: 0, reason: 'no-data' }), 'decline.attempt'],
    [wire(3, { attempt: 2 ** 32, reason: 'no-data' }), 'decline.attempt'],
    [wire(3, { attempt: 1.5, reason: 'no-data' }), 'decline.attempt'],
    [wire(3, { attempt: '1', reason: 'no-data' }), 'decline.attempt'],
    [wire(3, '{"attempt":1e999,"reason":"no-data"}'), 'decline.attempt'],
    [wire(1, { protocol: 2, task: 'Films' }, helloParts), 'hello.task'],
    [wire(1, { protocol: 2, task: 'a'.repeat(64) }, helloParts), 'hello.task'],
    [wire(1, { protocol: 2, task: '' }, helloParts), 'hello.task'],
    [wire(1, { protocol: 256, task: 'films' }, helloParts), 'hello.protocol'],
    [wire(1, helloHeader), 'hello.identityKey'],
    [wire(1, helloHeader, [bytesOf(31), hello.signature]), 'hello.identityKey'],
    [wire(1, helloHeader, [bytesOf(33), hello.signature]), 'hello.identityKey'],
    [wire(1, helloHeader, [hello.identityKey]), 'hello.signature'],
    [whole.subarray(0, whole.length - 1), 'hello.signature'],
    [Uint8Array.of(...whole, 0), 'hello'],
    [wire(4, { attempt: 1 }, [new Uint8Array(KEY_BUNDLE_BYTES + 1)]), 'advertise-keys.bundle'],
    [wire(5, { attempt: 1 }, [new Uint8Array(MAX_GROUP * SEALED_SHARE_BYTES + 1)]), 'share-keys.shares'],
    [wire(6, { attempt: 1, index: 0, count: 1, totalBytes: 4 }, [new Uint8Array(2)]), 'masked-input.bytes'],
    [wire(6, { attempt: 1, index: -1, count: 1, totalBytes: 4 }, [bytesOf(4)]), 'masked-input.index'],
    [wire(6, { attempt: 1, index: 0, count: 0, totalBytes: 4 }, [bytesOf(4)]), 'masked-input.count'],
    [
      wire(6, { attempt: 1, index: 0, count: 1, totalBytes: 4 * 4_194_304 + 1 }, [bytesOf(4)]),
      'masked-input.totalBytes',
    ],
    [wire(7, { attempt: 1 }, [new Uint8Array(MAX_GROUP * 64 + 1)]), 'unmask.shares'],
  ])('client message %#: %s', (input, field) => {
    const error = refusal(() => decodeClientMessage(input));
    expect(error.field).toBe(field);
    expect(error.problem).not.toBe('');
    expect(error.message).not.toContain('Invalid input');
  });

  it.each([
    [wire(32, { protocols: [] }, [bytesOf(32), bytesOf(32)]), 'challenge.protocols'],
    [wire(32, { protocols: new Array(17).fill(1) }, [bytesOf(32), bytesOf(32)]), 'challenge.protocols'],
    [wire(32, { protocols: [1, 'x'] }, [bytesOf(32), bytesOf(32)]), 'challenge.protocols.1'],
    [wire(33, {}, [bytesOf(64)]), 'describe.description'],
    [wire(33, { description: { ...DESCRIPTION, round: 0 } }, [bytesOf(64)]), 'describe.description.round'],
    [wire(33, { description: DESCRIPTION }, [bytesOf(63)]), 'describe.signature'],
    [
      wire(34, { attempt: 1, group: 65_536, page: 0, pages: 1 }, [bytesOf(KEY_BUNDLE_BYTES), bytesOf(64)]),
      'roster.group',
    ],
    [
      wire(34, { attempt: 1, group: 0, page: 0, pages: 1 }, [bytesOf(KEY_BUNDLE_BYTES - 1), bytesOf(64)]),
      'roster.bundles',
    ],
    [wire(35, { attempt: 1 }, [bytesOf(0), bytesOf(64)]), 'relay-shares.group'],
    [wire(36, { attempt: 1, group: 0 }, [bytesOf(0), bytesOf(64)]), 'survivors.survivors'],
    [wire(36, { attempt: 1, group: 0 }, [bytesOf(129), bytesOf(64)]), 'survivors.survivors'],
    [wire(37, { attempt: 1 }), 'outcome.outcome'],
    [wire(37, { attempt: 1, outcome: 'won' }), 'outcome.outcome'],
    [wire(37, { attempt: 1, outcome: 'aborted' }), 'outcome.reason'],
    [wire(37, { attempt: 1, outcome: 'aborted', reason: 'whatever' }), 'outcome.reason'],
    [wire(37, { attempt: 1, outcome: 'not-included', round: 3 }), 'outcome.round'],
    [
      wire(37, { attempt: 1, outcome: 'committed', round: 3, modelHash: 'AB'.repeat(32), survivors: 2 }),
      'outcome.modelHash',
    ],
    [
      wire(37, { attempt: 1, outcome: 'committed', round: 3, modelHash: 'ab'.repeat(32), survivors: 0 }),
      'outcome.survivors',
    ],
  ])('coordinator message %#: %s', (input, field) => {
    expect(refusal(() => decodeCoordinatorMessage(input)).field).toBe(field);
  });

  it.each([
    [wire(64, { protocol: 1 }), 'welcome.protocol'],
    [wire(65, { checkAgainMs: 86_400_001 }), 'waiting.checkAgainMs'],
    [wire(66, { retryAfterMs: -1 }), 'later.retryAfterMs'],
    [wire(67, { next: 65_537 }), 'accepted.next'],
    [wire(67, { next: null }), 'accepted.next'],
    [wire(68, { reason: 'because', field: '', problem: '' }), 'refused.reason'],
    [wire(68, { reason: 'malformed', field: 'x'.repeat(201), problem: '' }), 'refused.field'],
    [wire(68, { reason: 'malformed', field: '', problem: 'x'.repeat(501) }), 'refused.problem'],
  ])('reply %#: %s', (input, field) => {
    expect(refusal(() => decodeReply(input)).field).toBe(field);
  });

  it('a message for the other side is no message here', () => {
    for (const message of Object.values(SAMPLES)) {
      for (const side of ['client', 'coordinator', 'reply'] satisfies Side[]) {
        if (side !== sideOf(message))
          expect(refusal(() => DECODERS[side](encode(message))).field).toBe('code');
      }
    }
  });

  it.each([
    [wire(3, { reason: 'no-data' }), 'decline.attempt: is missing'],
    [wire(3, { attempt: 0, reason: 'no-data' }), 'decline.attempt: is 0; at least 1 is expected'],
    [wire(3, { attempt: 1.5, reason: 'no-data' }), 'decline.attempt: must be an integer'],
    [wire(2, { extra: 1 }), 'check-in.extra: is not a field of this message'],
    [
      wire(1, helloHeader, [bytesOf(31), hello.signature]),
      'hello.identityKey: has 31 bytes; 32 to 32 are allowed',
    ],
    [wire(1, helloHeader, helloParts, 9), 'protocol: is 9; this side speaks 2'],
  ])('%#: the problem gives both sides: %s', (input, text) => {
    expect(refusal(() => decodeClientMessage(input)).message).toBe(text);
  });

  it('says no more of an unknown field than fits into a reply', () => {
    const error = refusal(() => decodeClientMessage(wire(2, { ['k'.repeat(3000)]: 1 })));
    expect(error.field.length).toBeLessThan(200);
    expect(() =>
      encode({ type: 'refused', reason: 'malformed', field: error.field, problem: error.problem }),
    ).not.toThrow();
  });
});

describe('nothing malformed leaves', () => {
  it.each([
    [{ type: 'shout' }, 'there is no message type "shout"'],
    [{ type: 'decline', attempt: 0, reason: 'no-data' }, 'decline.attempt: is 0; at least 1 is expected'],
    [{ type: 'decline', attempt: Number.NaN, reason: 'no-data' }, 'decline.attempt'],
    [{ type: 'check-in', interactions: [1, 2] }, 'check-in.interactions: is not a field of this message'],
    [{ ...SAMPLES.hello, signature: bytesOf(63) }, 'hello.signature must be 64 to 64 bytes'],
    [{ ...SAMPLES.hello, signature: 'text' }, 'hello.signature must be 64 to 64 bytes'],
    [{ ...SAMPLES['masked-input'], bytes: Float32Array.of(1, 2) }, 'masked-input.bytes must be'],
    [
      { ...SAMPLES.describe, description: { ...DESCRIPTION, clippingNorm: Number.POSITIVE_INFINITY } },
      'describe.description.clippingNorm',
    ],
  ])('%#: %o', (message, problem) => {
    expect(() => encode(message)).toThrow(UsageError);
    expect(() => encode(message)).toThrow(problem);
  });
});
