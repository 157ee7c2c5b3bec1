import { DecodeError, equalBytes, seededRandom, toHex } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ARBITRARIES,
  DECODERS,
  DESCRIPTION,
  SAMPLES,
  sideOf,
  TASK_INFO,
  type Side,
} from '../test/samples.ts';
import { encodeMessage } from './codec.ts';
import { decodeDescription } from './description.ts';
import type { Message } from './messages.ts';
import { decodeTaskInfo } from './task.ts';

/**
 * A decoder takes anything, and either gives a message that encodes to one with the same meaning, or throws a
 * DecodeError that fits into a reply. 145,000 inputs in all; a failure prints its input.
 */
const SIDES = ['client', 'coordinator', 'reply'] as const satisfies readonly Side[];
const encode = (message: Message): Uint8Array => encodeMessage(message as never);

/** Decodes with every decoder. Returns how many took it. */
function feed(bytes: Uint8Array): number {
  let taken = 0;
  for (const side of SIDES) {
    let message: Message;
    try {
      message = DECODERS[side](bytes);
    } catch (error) {
      checkRefusal(error, bytes);
      continue;
    }
    taken += 1;
    // Compared as bytes: JSON writes minus zero as zero.
    const encoded = encode(message);
    if (!equalBytes(encode(DECODERS[side](encoded)), encoded))
      throw new Error(`${toHex(bytes)} changes its meaning`);
  }
  return taken;
}

function checkRefusal(error: unknown, input: Uint8Array | string): void {
  const shown = typeof input === 'string' ? input : toHex(input);
  if (!(error instanceof DecodeError)) throw new Error(`not a DecodeError for ${shown}`, { cause: error });
  const fits =
    error.field.length > 0 &&
    error.field.length <= 200 &&
    error.problem.length > 0 &&
    error.problem.length <= 500;
  if (!fits) throw new Error(`${error.field}: ${error.problem} does not fit into a reply, for ${shown}`);
}

const valid = Object.values(SAMPLES).map(encode);
const rich = Object.values(ARBITRARIES).flatMap((arbitrary) =>
  fc.sample(arbitrary as fc.Arbitrary<Message>, { numRuns: 20, seed: 5 }).map(encode),
);

describe('fuzz', () => {
  it('random bytes, 30,000 of them with a right version and code', () => {
    const random = seededRandom('fuzz/bytes');
    for (let run = 0; run < 50_000; run++) {
      const bytes = Uint8Array.from({ length: random.int(120) }, () => random.int(256));
      if (run >= 20_000 && bytes.length >= 4) {
        bytes[0] = 1;
        bytes[1] = valid[random.int(valid.length)]![1]!;
        bytes[2] = random.int(bytes.length);
        bytes[3] = 0;
      }
      feed(bytes);
    }
  });

  it('valid messages with flipped bits, cut, grown, or joined to another', () => {
    const random = seededRandom('fuzz/mutation');
    const pool = [...valid, ...rich];
    const pick = () => pool[random.int(pool.length)]!;
    const mutations: ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => flip(bytes, 1 + random.int(4)),
      (bytes) => bytes.subarray(0, random.int(bytes.length + 1)),
      (bytes) => Uint8Array.of(...bytes, ...pick().subarray(0, random.int(20))),
      (bytes) =>
        Uint8Array.of(...bytes.subarray(0, random.int(bytes.length)), ...pick().subarray(random.int(40))),
      (bytes) => {
        const copy = bytes.slice();
        copy[1] = pick()[1]!;
        return copy;
      },
    ];
    const flip = (bytes: Uint8Array, flips: number): Uint8Array => {
      const copy = bytes.slice();
      for (let i = 0; i < flips; i++) copy[random.int(copy.length)]! ^= 1 << random.int(8);
      return copy;
    };
    let taken = 0;
    for (let run = 0; run < 50_000; run++) taken += feed(mutations[run % mutations.length]!(pick()));
    // Some flips fall into a signature or a share, so some must be taken: else nothing past the header was tried.
    expect(taken).toBeGreaterThan(1000);
  });

  it('JSON headers with keys left out, added or given strange values', () => {
    const random = seededRandom('fuzz/json');
    const pool = [...valid, ...rich];
    let taken = 0;
    for (let run = 0; run < 30_000; run++)
      taken += feed(withHeader(pool[random.int(pool.length)]!, (json) => mutateJson(json, random)));
    expect(taken).toBeGreaterThan(100);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('descriptions and task information, as objects', () => {
    const random = seededRandom('fuzz/objects');
    for (let run = 0; run < 15_000; run++) {
      const [decode, base] =
        run % 2 === 0 ? ([decodeDescription, DESCRIPTION] as const) : ([decodeTaskInfo, TASK_INFO] as const);
      const text = mutateJson(JSON.stringify(base), random);
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        continue;
      }
      try {
        decode(value);
      } catch (error) {
        checkRefusal(error, text);
      }
    }
  });

  it('takes what it is meant to take: every valid message, by one side only', () => {
    for (const message of Object.values(SAMPLES)) {
      expect(feed(encode(message))).toBe(1);
      expect(DECODERS[sideOf(message)](encode(message))).toEqual(message);
    }
  });
});

type Random = ReturnType<typeof seededRandom>;

/** `bytes` with its header changed and its length field made to fit, so that the parts behind it are still reached. */
function withHeader(bytes: Uint8Array, change: (json: string) => string): Uint8Array {
  const length = bytes[2]! | (bytes[3]! << 8);
  const json = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  const header = new TextEncoder().encode(change(json));
  return Uint8Array.of(
    bytes[0]!,
    bytes[1]!,
    header.length & 0xff,
    (header.length >> 8) & 0xff,
    ...header,
    ...bytes.subarray(4 + length),
  );
}

const STRANGE: readonly string[] = [
  'null',
  'true',
  '-0',
  '-1',
  '0.5',
  '1e999',
  '4294967296',
  '9007199254740993',
  '""',
  '"__proto__"',
  '"\\u0000"',
  '"\\ud800"',
  '[]',
  '[[[[[[]]]]]]',
  '{}',
  '{"__proto__":{"polluted":true}}',
  '{"toString":1}',
  `"${'x'.repeat(600)}"`,
];
const KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'type',
  'attempt',
  'shares',
  '',
  'x',
  'k'.repeat(300),
  '\u{1F600}',
];

function mutateJson(json: string, random: Random): string {
  const strange = (): string => STRANGE[random.int(STRANGE.length)]!;
  const values = [...json.matchAll(/:(?:"(?:[^"\\]|\\.)*"|[-\d.e+]+|\[[^[\]{}]*\])/g)];
  const chosen = values.length > 0 ? values[random.int(values.length)]! : undefined;
  switch (random.int(6)) {
    case 0: // another value in one place
      return chosen === undefined
        ? strange()
        : json.slice(0, chosen.index + 1) + strange() + json.slice(chosen.index + chosen[0].length);
    case 1: // one more key, which may repeat one that is there
      return json.replace(
        /^\{/,
        `{${JSON.stringify(KEYS[random.int(KEYS.length)])}:${strange()}${json === '{}' ? '' : ','}`,
      );
    case 2: // another name for one key
      return json.replace(/"(\w+)":/, `${JSON.stringify(KEYS[random.int(KEYS.length)])}:`);
    case 3: // one character more, less or other
      return (
        json.slice(0, random.int(json.length + 1)) +
        String.fromCharCode(32 + random.int(95)) +
        json.slice(random.int(json.length + 1))
      );
    case 4: // white space, which JSON allows
      return json.replaceAll(',', ' ,\n\t').replaceAll(':', ' : ');
    default: // something else altogether
      return strange();
  }
}
