import { keepLocal, seededRandom } from '@tutti/base';
import { generateFilmShelf } from '@tutti/datasets';
import { createModel, resolveModelConfig, type LoadedModel } from '@tutti/model';
import { beforeAll, describe, expect, it } from 'vitest';
import { lyingCoordinator } from './lies.ts';
import type { AttackResult } from './types.ts';

/** Training is not what is looked at: everybody's delta is of one length and lies in one direction. */
const trainsAlike = (length: number, width: number): LoadedModel => ({
  train: async (local) => ({
    delta: new Float32Array(length).fill(0.01),
    local: local ?? keepLocal(new Float32Array(width)),
    loss: 1,
    examples: 1,
    touchedRows: keepLocal(new Int32Array(0)),
  }),
  personalize: async (local) => local ?? keepLocal(new Float32Array(width)),
  score: async () => keepLocal(new Float32Array(0)),
  rank: async () => keepLocal({ items: new Int32Array(0), scores: new Float32Array(0) }),
  dispose: () => undefined,
});

describe('a lying coordinator', () => {
  let results: AttackResult[];
  beforeAll(async () => {
    const data = generateFilmShelf({ seed: 1, users: 40, items: 120 });
    const facts = { items: data.items, meanHistory: data.train.values.length / data.users };
    const model = createModel(resolveModelConfig({ family: 'mf', dimension: 2 }, facts), data.items);
    results = await lyingCoordinator({
      model,
      loaded: trainsAlike(model.layout.length, 2),
      train: data.train,
      clippingNorm: 1,
      random: seededRandom('lies'),
    });
  }, 120_000);

  it('gets a refusal for each lie, by the reason that it must have, or changes nothing', () => {
    const taken = results.filter(({ verdict }) => verdict !== 'defended');
    expect(taken.map(({ name, defence, statistic }) => `${name}: ${defence}; ${statistic}`)).toEqual([]);
  });

  it('tells lies of every kind that §8 and the levels of identity name', () => {
    const names = results.map(({ name }) => name).join('\n');
    for (const part of [
      'no noise',
      'signed',
      'graph',
      'pinned:',
      'enrolled:',
      'transparent:',
      'slice',
      'budget',
    ])
      expect(names, part).toContain(part);
    expect(results.length).toBeGreaterThanOrEqual(50);
  });
});
