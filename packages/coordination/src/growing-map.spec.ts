import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { growingMap, type GrowingMap } from './growing-map.ts';

describe('a growing map', () => {
  it('is what copying a Map at each addition gives, in every version (property)', () => {
    // Each step adds a key to some version that was made before, the newest or an older one.
    const steps = fc.array(fc.record({ key: fc.nat(12), version: fc.nat(30) }), { maxLength: 30 });
    fc.assert(
      fc.property(steps, (additions) => {
        const versions: [GrowingMap<number, string>, Map<number, string>][] = [
          [growingMap(), new Map<number, string>()],
        ];
        for (const [index, { key, version }] of additions.entries()) {
          const [grown, copied] = versions[version % versions.length] as (typeof versions)[number];
          if (copied.has(key)) expect(() => grown.with(key, 'x')).toThrow('already');
          else versions.push([grown.with(key, `v${index}`), new Map(copied).set(key, `v${index}`)]);
        }
        for (const [grown, copied] of versions) {
          expect(grown.size).toBe(copied.size);
          expect([...grown]).toEqual([...copied]);
          expect([...grown.keys()]).toEqual([...copied.keys()]);
          expect([...grown.values()]).toEqual([...copied.values()]);
          for (let key = 0; key <= 12; key++) {
            expect(grown.has(key)).toBe(copied.has(key));
            expect(grown.get(key)).toBe(copied.get(key));
          }
        }
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  it('copies nothing where a round adds to the newest version', () => {
    let map = growingMap<number, number>();
    const first = map;
    for (let i = 0; i < 200_000; i++) map = map.with(i, i);
    expect([first.size, map.size, map.get(199_999)]).toEqual([0, 200_000, 199_999]);
    const seen: number[] = [];
    first.with(-1, -1).forEach((value) => seen.push(value));
    expect(seen).toEqual([-1]);
  });
});
