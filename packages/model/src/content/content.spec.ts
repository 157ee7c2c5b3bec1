import { keepLocal, seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  addContentInto,
  type ContentConfig,
  contentFeatures,
  createEngine,
  createModel,
  decodeModelConfig,
  featureWidth,
  initialShared,
  type ItemContent,
  type ModelInput,
  resolveModelConfig,
  type Tensorflow,
  wholeDelta,
  withProximalTerm,
} from '../index.ts';
import { openNodeTensorflow } from '../node.ts';
import { hashOf } from './features.ts';
import { packPullInto, pullLength, unpackPull } from './pull.ts';

const ITEMS = 30;
const D = 5;
const facts = { items: ITEMS, meanHistory: 6 };
const resolved = (input: ModelInput) => resolveModelConfig(input, facts);
const configOf = (over: Partial<ContentConfig> = {}): ContentConfig =>
  resolved({ family: 'content', dimension: D, ...over }) as ContentConfig;

describe('the features of a catalogue', () => {
  const content: ItemContent = {
    ids: ['a', 'b', 'c'],
    titles: ['The War of the Worlds', 'Étoile 2', ''],
    genres: [['War', 'Drama'], ['drama'], []],
  };
  const row = (item: number, config = configOf(), from = content): Map<number, number> => {
    const { offsets, columns, values } = contentFeatures(config, from);
    const entries = new Map<number, number>();
    for (let n = offsets[item]!; n < offsets[item + 1]!; n++) entries.set(columns[n]!, values[n]!);
    return entries;
  };
  const bucket = (token: string, buckets = 4_096): number => 1 + (hashOf(token) % buckets);

  it.each([
    // Fowler, Noll & Vo's own test vectors of FNV-1a, 32 bits.
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('hash tokens by FNV-1a: %j', (token, hash) => expect(hashOf(token)).toBe(hash));

  it('are 1 in the column of all, genres of length 1 and different words of length ½, in lower case', () => {
    const entries = row(0);
    expect(entries.get(0)).toBe(1);
    for (const genre of ['genre:war', 'genre:drama'])
      expect(entries.get(bucket(genre))).toBeCloseTo(Math.SQRT1_2, 6);
    for (const word of ['word:the', 'word:war', 'word:of', 'word:worlds'])
      expect(entries.get(bucket(word))).toBeCloseTo(0.5 / 2, 6);
    expect(entries.size).toBe(1 + 2 + 4);
    expect(row(1).get(bucket('word:étoile'))).toBeCloseTo(0.5 * Math.SQRT1_2, 6);
    expect([...row(2)]).toEqual([[0, 1]]);
  });

  it('leave out what has weight 0', () => {
    expect(row(0, configOf({ wordWeight: 0 })).size).toBe(3);
    expect(row(0, configOf({ genreWeight: 0 })).size).toBe(5);
  });

  it('hold vectors at their weight, whatever their length; an item without one has none', () => {
    const config = configOf({ vectorLength: 2, vectorWeight: 2 });
    const withVectors = { ...content, vectors: [[3, 4], [], [0, 0]] };
    const first = 1 + config.buckets;
    expect(row(0, config, withVectors).get(first)).toBeCloseTo(1.2, 6);
    expect(row(0, config, withVectors).get(first + 1)).toBeCloseTo(1.6, 6);
    expect(row(1, config, withVectors).get(first)).toBeUndefined();
    expect(row(2, config, withVectors).get(first)).toBeUndefined();
    expect(contentFeatures(config, withVectors).width).toBe(featureWidth(config));
  });

  it('of an item do not depend on the other items', () => {
    const texts = fc.array(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(texts, texts, (titles, more) => {
        const of = (list: readonly string[]) => ({
          ids: list.map(String),
          titles: list,
          genres: list.map(() => ['x']),
        });
        expect(row(0, configOf(), of([titles[0] as string, ...more]))).toEqual(
          row(0, configOf(), of(titles)),
        );
      }),
    );
  });

  it.each([
    [[[1, 2, 3]], 'that of item a has 3 numbers; 2 are expected'],
    [[[1], [1, 2]], 'that of item a has 1 numbers; 2 are expected'],
    [
      [
        [1, 2],
        [0, Number.NaN],
      ],
      'that of item b has NaN at place 1',
    ],
    [[[], [], [Number.POSITIVE_INFINITY, 0]], 'that of item c has Infinity at place 0'],
    [[[], [], ['1', 0]] as unknown as number[][], 'that of item c has 1 at place 0'],
  ])('refuse vectors %j by the item', (vectors, message) =>
    expect(() => contentFeatures(configOf({ vectorLength: 2 }), { ...content, vectors })).toThrow(message),
  );

  it('refuse a catalogue that says nothing of any item', () => {
    for (const nothing of [{}, { titles: ['', '…', '!'] }, { genres: [[], [], []] }])
      expect(() => contentFeatures(configOf(), { ids: content.ids, ...nothing })).toThrow(
        'no item has a genre, a title or a vector',
      );
  });

  it('make the table X·P', () => {
    const config = configOf({ buckets: 16, vectorLength: 3 });
    const features = contentFeatures(config, { ...content, vectors: [[1, 0, 2], [], [0, 5, 0]] });
    const random = seededRandom('weights');
    const weights = Float32Array.from({ length: features.width * D }, () => random.normal());
    const table = new Float64Array(3 * D);
    addContentInto(table, features, weights, D, 2);
    for (let item = 0; item < 3; item++)
      for (let k = 0; k < D; k++) {
        let sum = 0;
        for (let n = features.offsets[item]!; n < features.offsets[item + 1]!; n++)
          sum += 2 * features.values[n]! * weights[features.columns[n]! * D + k]!;
        expect(table[item * D + k]).toBeCloseTo(sum, 10);
      }
  });
});

describe('the packed pull', () => {
  it('is w ⊗ w', () => {
    const packed = new Float32Array(pullLength(3));
    packPullInto(packed, Float32Array.of(1, -2, 3), 1);
    expect([...unpackPull(packed, 3)]).toEqual([1, -2, 3, -2, 4, -6, 3, -6, 9]);
  });
});

describe('a device with a content model', () => {
  let tf: Tensorflow;
  beforeAll(async () => {
    ({ tf } = await openNodeTensorflow({ backend: 'wasm' }));
  });
  const content = createModel(configOf(), ITEMS);
  const mf = createModel(resolved({ family: 'mf', dimension: D }), ITEMS);
  const table = initialShared(mf, seededRandom('table'));
  const shared = new Float32Array(content.layout.length);
  shared.set(table);
  const load = async (which: typeof mf, weights: Float32Array) =>
    (await createEngine({ model: which, tf, backend: 'wasm' })).load(weights);

  it.each([[[4, 1, 17]], [[0]], [[]]])(
    'sends what a matrix factorisation sends, in two parts, and has its loss: items %j',
    async (items) => {
      const person = { positives: keepLocal(Int32Array.from(items)) };
      const [one, other] = [await load(mf, table), await load(content, shared)];
      const expected = await one.train(undefined, person, seededRandom(1));
      const update = await other.train(undefined, person, seededRandom(1));
      expect(update.local).toEqual(expected.local);
      expect(update.loss).toBeCloseTo(expected.loss, 6);
      const delta = wholeDelta(update, content);
      const pull = unpackPull(delta.subarray(ITEMS * D), D);
      const { unobservedWeight: a0 } = configOf();
      for (let item = 0; item < ITEMS; item++)
        for (let k = 0; k < D; k++) {
          let pulled = 0;
          for (let j = 0; j < D; j++) pulled += pull[k * D + j]! * table[item * D + j]!;
          const own = delta[item * D + k]!;
          expect(own - a0 * pulled).toBeCloseTo(expected.delta[item * D + k]!, 6);
          if (!items.includes(item)) expect(own).toBe(0);
        }
      expect(await other.score(update.local)).toEqual(await one.score(expected.local));
      expect(await other.rank(update.local, { k: 50 })).toEqual(await one.rank(expected.local, { k: 50 }));
      one.dispose();
      other.dispose();
    },
  );

  it('leaves weights and data alone, and leaks no tensor', async () => {
    const before = shared.slice();
    const person = { positives: keepLocal(Int32Array.of(7, 2)) };
    const loaded = await load(content, shared);
    const cycle = async (): Promise<void> => void (await loaded.train(undefined, person, seededRandom(2)));
    await cycle();
    const count = tf.memory().numTensors;
    await cycle();
    expect(tf.memory().numTensors).toBe(count);
    expect(shared).toEqual(before);
    expect([...person.positives]).toEqual([7, 2]);
    loaded.dispose();
  });

  it('refuses items outside the catalogue', async () => {
    const loaded = await load(content, shared);
    const outside = { positives: keepLocal(Int32Array.of(ITEMS)) };
    await expect(loaded.train(undefined, outside, seededRandom(3))).rejects.toThrow('outside the catalogue');
    loaded.dispose();
  });

  it('is told of in a configuration, whose every field is checked', () => {
    expect(decodeModelConfig({ ...configOf() })).toEqual(configOf());
    for (const wrong of [{ buckets: 8 }, { genreWeight: -1 }, { vectorLength: 1.5 }, { hidden: [3] }])
      expect(() => decodeModelConfig({ ...configOf(), ...wrong })).toThrow(`model.${Object.keys(wrong)[0]}`);
    expect(() => withProximalTerm({ family: 'content' })).toThrow('fedprox is fedavg for content');
  });
});
