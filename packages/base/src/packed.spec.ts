import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromPackedText, packedText } from './packed.ts';

describe('packed text', () => {
  it('gives the bytes back, all 256 of them', () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(fromPackedText(packedText(all))).toEqual(all);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(fromPackedText(packedText(bytes))).toEqual(Uint8Array.from(bytes));
      }),
    );
  });

  it('has nothing that a string of any kind would have to escape', () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(packedText(all)).toMatch(/^[ -~]+$/);
    expect(packedText(all)).not.toMatch(/["$'\\`]/);
  });

  it('has one character for the bytes that WebAssembly has most of', () => {
    expect(packedText(Uint8Array.of(0xfd, 0xff, 0, 1, 0x20, 0x41))).toHaveLength(6);
  });
});
