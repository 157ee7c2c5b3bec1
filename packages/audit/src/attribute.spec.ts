import { seededRandom } from '@tutti/base';
import { createModel, resolveModelConfig, type LoadedModel } from '@tutti/model';
import { describe, expect, it } from 'vitest';
import { attributeInference } from './attribute.ts';
import { rowOf, type PersonDelta, type Victims } from './people.ts';

const ITEMS = 60;
const WIDTH = 3;
const PEOPLE = 120;
const model = createModel(
  resolveModelConfig({ family: 'mf', dimension: WIDTH }, { items: ITEMS, meanHistory: 10 }),
  ITEMS,
);
const victims: Victims = {
  model,
  shared: new Float32Array(model.layout.length),
  loaded: {} as LoadedModel,
  train: { users: PEOPLE, items: ITEMS, offsets: new Int32Array(PEOPLE + 1), values: new Int32Array(0) },
  clippingNorm: 1,
  random: seededRandom('attribute'),
};

/** People of whom the first half touches the first half of the items, mostly, and has a vector that leans one way. */
function people(): PersonDelta[] {
  const random = seededRandom('people');
  return Array.from({ length: PEOPLE }, (_, user) => {
    const first = user < PEOPLE / 2;
    const vector = Float32Array.from(
      { length: WIDTH },
      (_, i) => random.normal() + (i === 0 && first ? 1.5 : 0),
    );
    const delta = new Float32Array(model.layout.length);
    const items = new Set<number>();
    for (let n = 0; n < 8; n++) {
      const half = random.float() < 0.75 === first ? 0 : ITEMS / 2;
      items.add(half + random.int(ITEMS / 2));
    }
    for (const item of items) rowOf(model, delta, item).set(vector);
    return { user, items, touched: items, delta, vector };
  });
}

const words = (random: ReturnType<typeof seededRandom>) =>
  Array.from({ length: PEOPLE }, (_, user) => ({
    user,
    words: Uint32Array.from({ length: model.layout.length }, () => random.uint32()),
  }));

describe('inference of an attribute', () => {
  const values = Uint8Array.from({ length: PEOPLE }, (_, user) => (user < PEOPLE / 2 ? 1 : 0));

  it('succeeds from deltas and from vectors, and fails from words that are uniform', () => {
    const found = attributeInference(victims, people(), words(seededRandom('words')), {
      name: 'half',
      values,
    });
    expect(found.map(({ verdict }) => verdict)).toEqual(['exposed', 'exposed', 'defended']);
    expect(found[0]?.value).toBeGreaterThan(0.85);
    expect(found[0]?.statistic).toContain('120 people (60 and 60), 5 folds');
  });

  it('catches words that are not: a delta in a few of the bits', () => {
    const leaking = people().map(({ user, delta }) => ({
      user,
      words: Uint32Array.from(delta, (value) => Math.round(value * 1e6)),
    }));
    const found = attributeInference(victims, people(), leaking, { name: 'half', values });
    expect(found[2]?.verdict).toBe('broken');
  });

  it('finds nothing in labels that are dealt at random, and says so', () => {
    const random = seededRandom('labels');
    const dealt = Uint8Array.from({ length: PEOPLE }, () => random.int(2));
    const found = attributeInference(victims, people(), words(random), { name: 'coin', values: dealt });
    expect(found.map(({ verdict }) => verdict)).toEqual(['blunt', 'blunt', 'defended']);
  });

  it('leaves out people of whom it is not known, and says nothing where too few are left', () => {
    const sparse = values.map((value, user) => (user % 20 === 0 ? value : 255));
    expect(attributeInference(victims, people(), [], { name: 'rare', values: sparse })).toEqual([]);
  });
});
