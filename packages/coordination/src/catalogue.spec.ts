import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedCatalogue, type TaskCatalogue } from './catalogue.ts';

const known: TaskCatalogue = {
  ids: ['a', 'b', 'c', 'd'],
  titles: ['A', 'B', 'C', 'D'],
  genres: [['x'], ['y'], ['x', 'y'], []],
};

describe('a catalogue that changes', () => {
  it('is the same where it did not, in whatever order it is given', () => {
    expect(changedCatalogue(known, known)).toEqual(known);
    const turned = {
      ids: ['d', 'c', 'b', 'a'],
      titles: ['D', 'C', 'B', 'A'],
      genres: [[], ['x', 'y'], ['y'], ['x']],
    };
    expect(changedCatalogue(known, turned)).toEqual(known);
  });

  it('keeps rows, appends new items, retires missing ones, and takes them back to their row', () => {
    const changed = changedCatalogue(known, {
      ids: ['e', 'c', 'a', 'd'],
      titles: ['E', 'C!', 'A', 'D'],
      genres: [['z'], ['x'], ['x'], []],
    });
    expect(changed).toEqual({
      ids: ['a', 'b', 'c', 'd', 'e'],
      titles: ['A', 'B', 'C!', 'D', 'E'],
      genres: [['x'], ['y'], ['x'], [], ['z']],
      retired: [1],
    });
    const back = changedCatalogue(changed as TaskCatalogue, { ids: ['a', 'b', 'c', 'd'] });
    expect(back).toEqual({ ids: ['a', 'b', 'c', 'd', 'e'], retired: [4] });
  });

  it('is another one where fewer than half of the items are left', () => {
    expect(changedCatalogue(known, { ids: ['a', 'b', 'q'] })).toBeDefined();
    expect(changedCatalogue(known, { ids: ['a', 'q', 'r', 's'] })).toBeUndefined();
  });

  it('never moves a row, names none twice, and retires exactly what is missing', () => {
    const ids = fc.uniqueArray(fc.stringMatching(/^[a-h]$/), { minLength: 1 });
    fc.assert(
      fc.property(ids, fc.array(ids, { maxLength: 5 }), (first, later) => {
        let now: TaskCatalogue = { ids: first };
        for (const given of later) {
          const next = changedCatalogue(now, { ids: given });
          if (next === undefined) continue;
          expect(next.ids.slice(0, now.ids.length)).toEqual(now.ids);
          expect(new Set(next.ids).size).toBe(next.ids.length);
          const offered = next.ids.filter((_, row) => !(next.retired ?? []).includes(row));
          expect([...offered].sort()).toEqual([...given].sort());
          now = next;
        }
      }),
    );
  });
});
