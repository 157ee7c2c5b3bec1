import { describe, expect, expectTypeOf, it } from 'vitest';
import { assertNever, keepLocal } from './brand.ts';
import type { Brand, LocalOnly, Sendable } from './brand.ts';

describe('keepLocal', () => {
  it('gives back the same object, so that marking costs no copy', () => {
    const taste = Float32Array.of(0.5, -0.25);
    expect(keepLocal(taste)).toBe(taste);
  });
});

describe('Sendable, checked by tsc', () => {
  it('keeps plain values as they are', () => {
    expectTypeOf<Sendable<number>>().toEqualTypeOf<number>();
    expectTypeOf<Sendable<Uint8Array>>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<Sendable<{ readonly a: string; b?: number }>>().toEqualTypeOf<{
      readonly a: string;
      b?: number;
    }>();
  });

  it('is never for a local value, at any depth', () => {
    expectTypeOf<Sendable<LocalOnly<Float32Array>>>().toBeNever();
    expectTypeOf<Sendable<LocalOnly<string>>>().toBeNever();
    expectTypeOf<Sendable<{ vector: LocalOnly<Float32Array> }>['vector']>().toBeNever();
    expectTypeOf<Sendable<{ a: { b: LocalOnly<Int32Array>[] } }>['a']['b'][number]>().toBeNever();
  });

  it('keeps a brand that allows sending', () => {
    type Masked = Brand<Uint32Array, 'Masked'>;
    expectTypeOf<Sendable<Masked>>().toEqualTypeOf<Masked>();
  });
});

describe('assertNever', () => {
  it('throws where a tag from outside slipped past the types', () => {
    const tag = { phase: 'unheard-of' } as never;
    expect(() => assertNever(tag)).toThrow('unhandled case: {"phase":"unheard-of"}');
  });
});
