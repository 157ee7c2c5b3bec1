import { describe, expect, it } from 'vitest';
import type { Catalogue } from './catalogue.ts';
import { examplesOf } from './examples.ts';
import { checkInteractions, decodeInteractions, encodeInteractions } from './interactions.ts';

const ids = ['a', 'b', 'c', 'd'];
const catalogue: Catalogue = {
  ids,
  titles: ids,
  retired: new Set(),
  indexOf: (id) => (ids.includes(id) ? ids.indexOf(id) : undefined),
};

describe('ratings of a person', () => {
  it('stand beside what they trained on, each as it was said last, and NaN where there is none', () => {
    const history = [
      { item: 'a', rating: 1 },
      { item: 'b' },
      { item: 'c', rating: 4 },
      { item: 'gone', rating: 2 },
      { item: 'a', rating: 5 },
    ];
    const { positives, ratings } = examplesOf(history, catalogue, 'me');
    expect([...positives]).toEqual([0, 1, 2]);
    expect([...(ratings ?? [])]).toEqual([5, Number.NaN, 4]);
  });

  it('go with the item that is held out, and are absent where nobody rates', () => {
    const heldOut = { item: 'c', candidates: ['d'] };
    const rated = examplesOf(
      [
        { item: 'a', rating: 2 },
        { item: 'c', rating: 4 },
      ],
      catalogue,
      'me',
      heldOut,
    );
    expect([...(rated.ratings ?? [])]).toEqual([2]);
    expect(rated.heldOut).toEqual({ item: 2, candidates: Int32Array.of(3), rating: 4 });
    const given = examplesOf([{ item: 'a' }], catalogue, 'me', { ...heldOut, rating: 3 });
    expect(given.heldOut?.rating).toBe(3);
    expect(examplesOf([{ item: 'a' }, { item: 'c' }], catalogue, 'me', heldOut)).not.toHaveProperty(
      'ratings',
    );
  });

  it.each<[string, unknown]>([
    ['what was given is not { item, kind?, rating?, at? }', null],
    ['what was given is not {', 'tt0111161'],
    ['item is not a text of 1 to 200 characters', {}],
    ['item is not', { item: undefined }],
    ['item is not', { item: 'x'.repeat(201) }],
    ['kind is not a text of 0 to 50 characters', { item: 'a', kind: 7 }],
    ['rating is not a finite number', { item: 'a', rating: '5' }],
    ['at is not a time in milliseconds since the epoch', { item: 'a', at: -1 }],
    ['at is not', { item: 'a', at: 1e300 }],
    ['at is not', { item: 'a', at: new Date(0) }],
    ['time is not a field of { item, kind?, rating?, at? }', { item: 'a', time: 5 }],
    ['toString is not a field', { item: 'a', toString: 5 }],
  ])('are refused where %s', (words, entry) => {
    expect(() => checkInteractions([{ item: 'b' }, entry])).toThrow(words);
  });

  it('come back from the store, and are refused where they are no number', () => {
    const list = [{ item: 'a', rating: 4.5 }];
    expect(decodeInteractions(encodeInteractions(list))).toEqual(list);
    expect(() => checkInteractions([{ item: 'a', rating: Number.NaN }])).toThrow(
      'rating is not a finite number',
    );
    expect(() => decodeInteractions(new TextEncoder().encode('[{"item":"a","rating":"5"}]'))).toThrow(
      'interactions.rating',
    );
  });
});
