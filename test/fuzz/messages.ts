import type { SeededRandom } from '@tutti/base';
import { encodeMessage, PROTOCOL_VERSION, type ClientMessage, type ClientMessageOf } from '@tutti/protocol';
import { KEY_BUNDLE_BYTES } from '@tutti/secure-aggregation';

/** What strangers say on sockets: messages near valid ones, values that are no messages, packets that are none either. */

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);

/** One valid message of each type. A type without an entry here does not compile. */
const SAMPLES: {
  readonly [Type in ClientMessage['type']]: (attempt: number) => ClientMessageOf<Type>;
} = {
  hello: () => ({
    ...{ type: 'hello', protocol: PROTOCOL_VERSION, task: 'films' },
    ...{ identityKey: bytes(32), signature: bytes(64) },
  }),
  'check-in': () => ({ type: 'check-in' }),
  decline: (attempt) => ({ type: 'decline', attempt, reason: 'no-data' }),
  'advertise-keys': (attempt) => ({ type: 'advertise-keys', attempt, bundle: bytes(KEY_BUNDLE_BYTES) }),
  'share-keys': (attempt) => ({ type: 'share-keys', attempt, shares: bytes(240) }),
  'masked-input': (attempt) => ({
    ...{ type: 'masked-input', attempt, index: 0, count: 1, totalBytes: 900 },
    bytes: bytes(900),
  }),
  unmask: (attempt) => ({ type: 'unmask', attempt, shares: bytes(64) }),
  'reveal-nonce': (attempt) => ({ type: 'reveal-nonce', attempt, nonce: bytes(32) }),
  'sign-survivors': (attempt) => ({ type: 'sign-survivors', attempt, signature: bytes(64) }),
};
const TYPES = Object.values(SAMPLES);

/** One of `choices`. */
export const pick = <T>(random: SeededRandom, choices: readonly T[]): T =>
  choices[random.int(choices.length)] as T;

/** A message as it would be, mutated in most cases. @param attempt the newest that anybody was told of. */
export function nextMessage(random: SeededRandom, attempt: number): Uint8Array {
  const named = random.int(4) === 0 ? random.int(2 ** 32 - 1) + 1 : Math.max(1, attempt - random.int(2));
  const whole = encodeMessage<never>(pick(random, TYPES)(named) as never);
  // A check-in is what makes rounds begin, in which the others mean something.
  return random.int(5) === 0 ? whole : mutated(random, whole);
}

/** `whole` with bits turned, cut, made longer, or with a part of it written twice. */
function mutated(random: SeededRandom, whole: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(whole);
  switch (random.int(5)) {
    case 0:
      return copy.subarray(0, random.int(copy.length + 1));
    case 1:
      return Uint8Array.from([...copy, ...Array.from({ length: 1 + random.int(40) }, () => random.int(256))]);
    case 2: {
      const at = random.int(copy.length);
      return Uint8Array.from([...copy.subarray(0, at), ...copy.subarray(random.int(at + 1))]);
    }
    case 3:
      return Uint8Array.from({ length: random.int(200) }, () => random.int(256));
    default:
      for (let turns = 1 + random.int(4); turns > 0; turns--)
        copy[random.int(copy.length)] = pick(random, [0, 1, 127, 128, 255, random.int(256)]);
      return copy;
  }
}

/** Values that are no messages: what else can stand in an event of a socket. */
export function nextValues(random: SeededRandom): [event: string, ...values: unknown[]] {
  const value = (): unknown =>
    pick<unknown>(random, [
      ...[null, true, -1, 1e308, '', 'text', '\u0000\ud800', [], {}, [[[[]]]], { length: 5, 0: 1 }],
      ...[{ _placeholder: true, num: 0 }, { type: 'hello' }, { toString: 1 }, { __proto__: { then: 1 } }],
      Uint8Array.from({ length: random.int(64) }, () => random.int(256)),
    ]);
  const event = pick(random, [
    'm',
    'm',
    'm',
    'M',
    '',
    'x'.repeat(2_000),
    '__proto__',
    'constructor',
    'error',
  ]);
  return [event, ...Array.from({ length: random.int(4) }, value)];
}

/** Packets below events: most of them none that the parser takes, after which it closes the connection. */
export function nextPacket(random: SeededRandom): string {
  return pick(random, [
    ...[
      '',
      '9',
      '2',
      '2[',
      '2{}',
      '2[]',
      '2["m"',
      '2[null]',
      '2[1e999]',
      '0',
      '0{',
      '0/other,',
      '0/other,{}',
    ],
    ...['1', '1/other,', '3', '3[]', '30[]', '399999999999999999999[]', '4', '4{}', '5', '51-', '51-["m"]'],
    ...['51-["m",{"_placeholder":true,"num":0}]', '59999999999-["m"]', '5-1-["m"]', '6', '61-1[]'],
    ...['2["disconnect"]', '2["connect_error",1]', `2["${'m'.repeat(random.int(3_000))}"]`],
    ...[`2${'['.repeat(random.int(5_000))}`, '2/__proto__,["m"]', '2["m",{"__proto__":{"a":1}}]'],
  ]);
}
