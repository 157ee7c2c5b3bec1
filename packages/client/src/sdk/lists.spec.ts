import { keepLocal, seededRandom } from '@tutti/base';
import { openTrainingEngine } from '@tutti/engine-simd';
import { createModel, resolveModelConfig } from '@tutti/model';
import { describe, expect, it } from 'vitest';
import type { Catalogue } from './catalogue.ts';
import { checkedListOptions, openLists, type Listed, type RecommendOptions } from './lists.ts';

/** Even items point one way, odd ones the other; the longer the vector, the more people touched it. Item 1 is the longest. */
const ITEMS = 12;
const CONFIG = { family: 'mf', dimension: 2, unobservedWeight: 0.1, regularization: 0.01 } as const;
const lengthOf = (item: number): number => 1 - item / 24 + (item % 2 === 1 ? 0.2 : 0);

const catalogueOf = (items: number): Catalogue => {
  const ids = Array.from({ length: items }, (_, item) => `film ${item}`);
  const titles = ids.map((id) => id.toUpperCase());
  return {
    ids,
    titles,
    retired: new Set(),
    indexOf: (id) => (ids.includes(id) ? ids.indexOf(id) : undefined),
  };
};

async function person(
  positives: number[],
  { items = ITEMS, rows }: { items?: number; rows?: number[] } = {},
) {
  const count = rows?.length ?? items;
  const model = createModel(resolveModelConfig(CONFIG, { items: count, meanHistory: 3 }), count);
  const shared = new Float32Array(2 * count);
  for (let at = 0; at < count; at++) shared[2 * at + ((rows?.[at] ?? at) % 2)] = lengthOf(rows?.[at] ?? at);
  const loaded = await (await openTrainingEngine({ model, engine: 'ts' })).load(shared);
  const own = keepLocal(Int32Array.from(positives.map((row) => rows?.indexOf(row) ?? row)));
  const listed: Listed = {
    table: {
      ...{ name: 'first', model, loaded, shared: async () => shared },
      ...(rows === undefined ? {} : { rows: Uint32Array.from(rows) }),
    },
    catalogue: catalogueOf(items),
    vector: await loaded.personalize(undefined, { positives: own }, seededRandom(1)),
    positives: keepLocal(Int32Array.from(positives)),
    seen: positives.map((item) => `film ${item}`),
  };
  return {
    listed,
    list: async (options: RecommendOptions = {}) =>
      openLists().recommend(listed, { k: 3, popularityWeight: 0, ...options }),
    names: async (options: RecommendOptions = {}) =>
      (await openLists().recommend(listed, { k: 3, popularityWeight: 0, ...options })).map(
        ({ item }) => item,
      ),
  };
}

describe('a list', () => {
  it('leaves out what the person touched, unless it is asked for, and what the app excludes', async () => {
    const { names } = await person([0, 4]);
    expect(await names()).toEqual(['film 2', 'film 6', 'film 8']);
    expect(await names({ exclude: ['film 6', 'no such film'] })).toEqual(['film 2', 'film 8', 'film 10']);
    expect(await names({ includeSeen: true })).toEqual(['film 0', 'film 2', 'film 4']);
    expect(await names({ includeSeen: true, exclude: ['film 0'] })).toEqual(['film 2', 'film 4', 'film 6']);
  });

  it('says because of which of their own, with parts that are at most 1; of one who did nothing, nothing', async () => {
    const { list } = await person([0, 4, 1]);
    for (const { item, because } of await list({ explain: true, includeSeen: true, k: 12 })) {
      const even = Number(item.slice(5)) % 2 === 0;
      expect(because?.map((reason) => reason.item)).toEqual(even ? ['film 0', 'film 4'] : ['film 1']);
      expect(because?.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
      expect(because?.[0]?.title).toBe(even ? 'FILM 0' : 'FILM 1');
    }
    const nobody = await person([]);
    for (const { because } of await nobody.list({ explain: true })) expect(because).toEqual([]);
    expect((await list())[0]).not.toHaveProperty('because');
  });

  it('of a newcomer begins with what everybody likes, and becomes their own as they act', async () => {
    const everybody = (await person([])).names({ popularityWeight: 2 });
    expect((await everybody)[0]).toBe('film 1');
    const after = await person([0, 2, 4, 6, 8]);
    expect(await after.names({ popularityWeight: 0.01 })).toEqual(await after.names());
    expect((await (await person([10])).names({ popularityWeight: 1_000 }))[0]).toBe('film 1');
  });

  it('is diverse where it is asked to be', async () => {
    const { names } = await person([0, 2, 4]);
    const plain = await names();
    const mixed = await names({ diversity: 0.9 });
    expect(mixed[0]).toBe(plain[0]);
    const kinds = (list: string[]): number => new Set(list.map((item) => Number(item.slice(5)) % 2)).size;
    expect([kinds(plain), kinds(mixed)]).toEqual([1, 2]);
  });

  it('is as long as the catalogue at most, and empty where everything was touched', async () => {
    expect((await (await person([0])).names({ k: 10_000 })).length).toBe(ITEMS - 1);
    expect(await (await person([0], { items: 1 })).names({ explain: true, diversity: 1 })).toEqual([]);
    expect(await (await person([], { items: 1 })).names({ popularityWeight: 2, diversity: 0.5 })).toEqual([
      'film 0',
    ]);
  });

  it('of a device that knows some rows only names those, reasons too', async () => {
    const { list } = await person([4, 5], { rows: [1, 4, 5, 8, 10] });
    const found = await list({ explain: true, k: 5, includeSeen: true, diversity: 0.1 });
    expect(found.map(({ item }) => item).sort()).toEqual(
      ['film 1', 'film 10', 'film 4', 'film 5', 'film 8'].sort(),
    );
    for (const { item, because } of found)
      expect(because?.[0]?.item).toBe(Number(item.slice(5)) % 2 === 0 ? 'film 4' : 'film 5');
  });

  it.each<[string, object]>([
    ['k: 0 is not a whole number from 1 to 10000', { k: 0 }],
    ['k: 1.5 is not', { k: 1.5 }],
    ['k: 10001 is not', { k: 10_001 }],
    ['exclude: ', { exclude: 'film 1' }],
    ['exclude: 2,3 is not a list of item ids', { exclude: [2, 3] }],
    ['includeSeen: 1 is not true or false', { includeSeen: 1 }],
    ['divresity: 1 is not an option of a list', { divresity: 1 }],
    ['diversity: 1.1 is not a number from 0 to 1', { diversity: 1.1 }],
    ['diversity: NaN is not', { diversity: Number.NaN }],
    ['popularityWeight: -1 is not', { popularityWeight: -1 }],
  ])('refuses %s', async (text, options) => {
    expect(() => checkedListOptions(options)).toThrow(text);
  });
});

describe('similar items', () => {
  it('are those that point the same way, without the item itself and what is excluded', async () => {
    const { listed } = await person([0]);
    const similar = await openLists().similar('film 3', listed, { k: 3, exclude: ['film 1'] });
    expect(similar.map(({ item }) => item)).toEqual(['film 5', 'film 7', 'film 9']);
    expect(similar[0]?.score).toBeCloseTo(1, 6);
    expect((await openLists().similar('film 3', listed, { k: 100 })).at(-1)?.score).toBeCloseTo(0, 6);
  });

  it('of what is not known are none', async () => {
    expect(await openLists().similar('no such film', (await person([0])).listed, {})).toEqual([]);
    const { listed } = await person([4], { rows: [4, 5] });
    expect(await openLists().similar('film 1', listed, {})).toEqual([]);
  });
});
