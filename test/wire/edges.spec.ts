import { createModel, resolveModelConfig } from '@tutti/model';
import { afterEach, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

/** Answers at the edges, of clients over real sockets: each is defined, and none is an accident. */

const GENRES = FILMS.map((_, film) => [film % 2 === 0 ? 'war' : 'love']);
let federation: WireFederation | undefined;
afterEach(async () => {
  await federation?.close();
  federation = undefined;
});

describe.each(['mf', 'mlp', 'content'] as const)('a client of %s', (family) => {
  const open = async (catalogue: object): Promise<WireFederation> => {
    federation = await openWireFederation(
      wireConfig({ model: { family, dimension: 4 }, catalogue: catalogue as never }),
      { engine: 'ts' },
    );
    return federation;
  };

  it('of items that it does not know keeps the history, trains without them, and lists none of them', async () => {
    const { client } = await open({ ids: FILMS, genres: GENRES });
    const person = await client('person', ['film-1', 'film-3', 'gone-from-the-shop']);
    expect(person.knows('gone-from-the-shop')).toBe(false);
    expect(await person.history()).toHaveLength(3);
    const list = await person.recommend({ k: 500, exclude: ['never-heard-of'] });
    // Longer than there are films: all of them but the two that were touched.
    expect(list).toHaveLength(FILMS.length - 2);
    expect(new Set(list.map(({ item }) => item)).size).toBe(list.length);
    expect(list.every(({ item, score }) => FILMS.includes(item) && Number.isFinite(score))).toBe(true);
    expect(await person.similar('never-heard-of')).toEqual([]);
  });

  it('who did nothing, or touched one item over and over, has a list of finite scores', async () => {
    const { client } = await open({ ids: FILMS, genres: GENRES });
    const nobody = await client('nobody', []);
    const again = await client('again', ['film-2', 'film-2', 'film-2']);
    for (const [person, there] of [
      [nobody, FILMS.length],
      [again, FILMS.length - 1],
    ] as const) {
      const list = await person.recommend({ k: 1_000 });
      expect(list).toHaveLength(there);
      expect(list.every(({ score }) => Number.isFinite(score))).toBe(true);
    }
  });

  it('of a catalogue of one item trains, and has that item to recommend or nothing', async () => {
    const { client, run, coordinator } = await open({ ids: ['only'], genres: [['war']] });
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, i) => client(`person-${i}`, i === 0 ? [] : ['only'])),
    );
    await run(clients, rounds(1));
    expect(coordinator.coordination.rounds('films')).toHaveLength(1);
    const [newcomer, other] = clients as [(typeof clients)[number], (typeof clients)[number]];
    const [one, ...rest] = await newcomer.recommend();
    expect(one).toMatchObject({ item: 'only' });
    expect(Number.isFinite(one?.score)).toBe(true);
    expect(rest).toEqual([]);
    expect(await other.recommend()).toEqual([]);
    expect(await other.similar('only')).toEqual([]);
  });
});

describe('a catalogue', () => {
  it('with an id twice is refused by the id', async () => {
    const twice = { ids: ['a', 'b', 'a'], genres: [[], ['x'], []] };
    await expect(openWireFederation(wireConfig({ catalogue: twice }))).rejects.toThrow(
      'a stands there twice',
    );
  });

  it('may have 1,048,576 items, and no more', () => {
    for (const family of ['mf', 'gmf', 'mlp', 'neumf', 'content'] as const) {
      const config = resolveModelConfig({ family, dimension: 2 }, { items: 1_048_576, meanHistory: 20 });
      expect(createModel(config, 1_048_576).layout.length).toBeGreaterThanOrEqual(2 * 1_048_576);
      for (const items of [1_048_577, 0, 1.5, Number.NaN])
        expect(() => createModel(config, items)).toThrow('1 to 1048576 are allowed');
    }
  });
});
