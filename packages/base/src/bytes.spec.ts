import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, concatBytes, equalBytes, fromHex, toHex, utf8, wipe } from './bytes.ts';
import { DecodeError } from './errors.ts';

const bytes = fc.uint8Array({ maxLength: 200 });

describe('hexadecimal', () => {
  it.each([
    ['', []],
    ['00', [0]],
    ['ff007f', [255, 0, 127]],
  ])('%j', (hex, expected) => {
    expect([...fromHex(hex)]).toEqual(expected);
    expect(toHex(Uint8Array.from(expected))).toBe(hex);
  });

  it('comes back the same for all bytes', () => {
    fc.assert(fc.property(bytes, (value) => equalBytes(fromHex(toHex(value)), value)));
  });

  it.each(['0', 'AB', '0g', ' 00', '00\n', 'é0'])('refuses %j, naming the field', (hex) => {
    expect(() => fromHex(hex, 'key')).toThrow(new DecodeError('key', 'is not lower-case hexadecimal'));
  });

  it('refuses another length, with both lengths', () => {
    expect(() => fromHex('0011', 'nonce', 3)).toThrow('nonce: has 2 bytes; 3 are expected');
    expect(fromHex('001122', 'nonce', 3)).toHaveLength(3);
  });
});

describe('concatBytes', () => {
  it('keeps the order and shares no memory with its parts', () => {
    const part = Uint8Array.of(1, 2);
    const whole = concatBytes(part, new Uint8Array(0), Uint8Array.of(3));
    part[0] = 9;
    expect([...whole]).toEqual([1, 2, 3]);
    expect(concatBytes()).toHaveLength(0);
  });
});

describe('equalBytes', () => {
  it('is true only for the same bytes', () => {
    fc.assert(fc.property(bytes, bytes, (a, b) => equalBytes(a, b) === (toHex(a) === toHex(b))));
  });

  it('sees a difference in any single bit', () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => i);
    for (let bit = 0; bit < 256; bit++) {
      const other = key.slice();
      other[bit >> 3]! ^= 1 << (bit & 7);
      expect(equalBytes(key, other)).toBe(false);
    }
  });

  it('does not take a prefix for the whole', () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false);
  });
});

describe('wipe', () => {
  it('overwrites every secret it is given, and only the view it is given', () => {
    const backing = Uint8Array.of(7, 7, 7, 7);
    const words = Uint32Array.of(5);
    const shorts = Uint16Array.of(5);
    wipe(backing.subarray(1, 3), words, shorts);
    expect([...backing]).toEqual([7, 0, 0, 7]);
    expect([words[0], shorts[0]]).toEqual([0, 0]);
  });
});

describe('utf8', () => {
  it('encodes beyond ASCII', () => {
    expect(toHex(utf8('é€😀'))).toBe('c3a9e282acf09f9880');
  });
});

describe('canonical JSON', () => {
  // The sorting example of RFC 8785 §3.2.3, in the order that UTF-16 code units give.
  it('sorts keys as RFC 8785 does', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(Object.values(JSON.parse(canonicalJson(value)) as object)).toHaveLength(7);
    const order = [...canonicalJson(value).matchAll(/"([A-Z][^"]*)"/g)].map((match) => match[1]);
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  it.each([
    [{ b: 1, a: [true, null, 'x"y'] }, '{"a":[true,null,"x\\"y"],"b":1}'],
    [
      { a: 1e21, b: 1e-7, c: -0, d: 0.1, e: 333333333.33333329 },
      '{"a":1e+21,"b":1e-7,"c":0,"d":0.1,"e":333333333.3333333}',
    ],
    [{ nested: { z: {}, a: [] } }, '{"nested":{"a":[],"z":{}}}'],
    [{ kept: 1, left: undefined }, '{"kept":1}'],
    ['text', '"text"'],
    [null, 'null'],
  ])('%#: one text for one value', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it('does not depend on the order in which keys were written, and parses back to the value', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { noNullPrototype: true }),
        (value) => {
          const turned = Object.fromEntries(Object.entries(value).reverse());
          const text = canonicalJson(value);
          expect(canonicalJson(turned)).toBe(text);
          // JSON has no minus zero, so the value to compare with went through JSON once.
          expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        },
      ),
      { seed: 20 },
    );
  });
});
