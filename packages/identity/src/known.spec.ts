import { DecodeError } from '@tutti/base';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idOf, reasonOf } from '../test/suite.ts';
import { checkKnown, decodeKnown, encodeKnown, meet, MOST_KNOWN, type KnownMembers } from './known.ts';

const DAY = 86_400;
const NOW = 1_700_000_000;
const rule = { share: 0.5, enough: 20, afterSeconds: 7 * DAY };
const people = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, at) => idOf(from + at));
const nobody: KnownMembers = new Map();

const asked = (known: KnownMembers, others: readonly string[], now = NOW): string =>
  reasonOf(() => checkKnown(known, others, rule, now));

/** Forty people, met ten days ago. */
const met = meet(nobody, people(1, 40), NOW - 10 * DAY);

describe('a quorum of known members', () => {
  it('asks for nothing before enough are known', () => {
    expect(asked(nobody, people(100, 30))).toBe('accepted');
    expect(asked(meet(nobody, people(1, 19), NOW - 10 * DAY), people(100, 30))).toBe('accepted');
    expect(asked(meet(nobody, people(1, 20), NOW - 10 * DAY), people(100, 30))).toBe('too-few-known');
  });

  it('takes half, and no less', () => {
    expect(asked(met, [...people(1, 15), ...people(100, 15)])).toBe('accepted');
    expect(asked(met, [...people(1, 14), ...people(100, 16)])).toBe('too-few-known');
    expect(asked(met, people(1, 40))).toBe('accepted');
    expect(asked(met, [])).toBe('accepted');
  });

  it('says how many there are and how many it asks for', () => {
    expect(() => checkKnown(met, [...people(1, 3), ...people(100, 30)], rule, NOW)).toThrow(
      'too-few-known: 3 of 33 members are known; 17 are asked for',
    );
  });

  it('a coordinator that brings its own clients in half by half needs a week for each half', () => {
    const invented = people(1_000, 15);
    const mixed = [...people(1, 15), ...invented];
    expect(asked(met, mixed)).toBe('accepted');
    const after = meet(met, mixed, NOW);
    const worse = [...invented, ...people(2_000, 15)];
    expect(asked(after, worse, NOW + 60)).toBe('too-few-known');
    expect(asked(after, worse, NOW + 6 * DAY)).toBe('too-few-known');
    expect(asked(after, worse, NOW + 7 * DAY)).toBe('accepted');
  });
});

describe('what is remembered', () => {
  it('keeps the first meeting and the last', () => {
    const again = meet(met, people(40, 2), NOW);
    expect(again.get(idOf(40))).toEqual({ firstAt: NOW - 10 * DAY, lastAt: NOW });
    expect(again.get(idOf(41))).toEqual({ firstAt: NOW, lastAt: NOW });
    expect(met.get(idOf(40))).toEqual({ firstAt: NOW - 10 * DAY, lastAt: NOW - 10 * DAY });
  });

  it('is bounded: those that were not met for longest go first', () => {
    const later = meet(meet(met, people(1, 10), NOW - DAY), people(500, 20), NOW, 30);
    expect([...later.keys()].sort()).toEqual([...people(1, 10), ...people(500, 20)].sort());
    const full = Array.from({ length: 50 }).reduce<KnownMembers>(
      (known, _, at) => meet(known, people(at * 100, 100), NOW + at),
      nobody,
    );
    expect(full.size).toBe(MOST_KNOWN);
  });

  it('survives being written down', () => {
    const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });
    const members = fc.dictionary(
      fc.integer({ min: 0, max: 1e9 }).map(idOf),
      fc.record({ firstAt: times, lastAt: times }),
    );
    fc.assert(
      fc.property(members, (entries) => {
        const known = new Map(Object.entries(entries));
        expect(decodeKnown(encodeKnown(known))).toEqual(known);
      }),
      { seed: 1 },
    );
    expect(() => decodeKnown(new Uint8Array(29))).toThrow(DecodeError);
    expect(() => decodeKnown(new Uint8Array((MOST_KNOWN + 1) * 28))).toThrow('at most 4096 records');
  });
});
