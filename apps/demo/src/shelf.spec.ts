import { describe, expect, it } from 'vitest';
import { makeShelf } from './films.ts';
import { emptyState, fitOf, reduce, type DemoState } from './page/state.ts';
import { aboutList, lastRound } from './page/words.ts';
import { poster } from './poster/poster.ts';

const { films } = makeShelf(10);

describe('posters', () => {
  it('are the same for the same film, and no two films share one', () => {
    const drawn = films.map(poster);
    expect(films.map(poster)).toEqual(drawn);
    expect(new Set(drawn).size).toBe(films.length);
  });

  it('load nothing, run nothing, and hold no number that is none', () => {
    for (const film of films) {
      const svg = poster(film);
      expect(svg).not.toMatch(/NaN|undefined|Infinity|<script|href|@import|url\((?!#)/);
      expect(svg).toContain(`${film.director.toUpperCase()} · ${film.year}`);
    }
  });
});

describe('a title', () => {
  /** A block of text: from the top of its first line's letters to the foot of its last. */
  const blockOf = (baselines: readonly number[], size: number) => ({
    top: Math.min(...baselines) - 0.78 * size,
    foot: Math.max(...baselines) + 0.24 * size,
  });

  it('stands clear of its credit, and leaves the picture its room', () => {
    for (const film of films) {
      const svg = poster(film);
      const baselines = [...svg.matchAll(/ y="([\d.]+)" textLength=/g)].map(([, y]) => Number(y));
      const size = Number(/<g font-family="[^"]*" font-size="([\d.]+)"/.exec(svg)?.[1]);
      const credit = Number(/ y="([\d.]+)" font-family="[^"]*" font-size="8"/.exec(svg)?.[1]);
      const [title, small] = [blockOf(baselines, size), blockOf([credit], 8)];
      const what = `${film.title}: ${JSON.stringify({ title, small, size })}`;
      expect(title.foot < small.top || title.top > small.foot, what).toBe(true);
      expect(title.foot - title.top, what).toBeLessThan(132);
      expect(size, what).toBeGreaterThan(12);
    }
  });
});

describe('what the page knows', () => {
  const setting = { coordinator: 'http://localhost:1', task: 'films', people: 10, cohort: 4, films };
  const ofGenre = (genre: string): string[] =>
    films.filter(({ genres }) => genres[0] === genre).map(({ id }) => id);
  const listed = (state: DemoState, round: number, items: readonly string[]): DemoState =>
    reduce(state, {
      type: 'suggested',
      suggested: { round, list: items.map((item) => ({ item, score: 1 })), because: [] },
    });
  const liking = (items: readonly string[]): DemoState =>
    items.reduce((state, item) => reduce(state, { type: 'liked', item, on: true }), emptyState(setting));

  it('counts how many suggestions fit, once enough is liked', () => {
    const [drama, comedy] = [ofGenre('Drama'), ofGenre('Comedy')];
    const few = listed(liking(drama.slice(0, 2)), 1, drama.slice(5, 9));
    expect(fitOf(few)).toBeUndefined();
    const first = listed(liking(drama.slice(0, 3)), 1, [...drama.slice(5, 6), ...comedy.slice(0, 3)]);
    expect(fitOf(first)).toBe(1);
    const later = listed(first, 2, [...drama.slice(5, 8), ...comedy.slice(0, 1)]);
    expect(aboutList(later)).toBe(
      '3 of 4 are of genres you like, which the model is never told. When you began it was 1.',
    );
    expect([...(later.suggested?.fresh ?? [])]).toEqual(drama.slice(6, 8));
  });

  it('takes a like back, and forgets everything that is a person’s', () => {
    const [one = '', other = ''] = ofGenre('Drama');
    const state = reduce(liking([one, other]), { type: 'liked', item: one, on: false });
    expect(state.likes).toEqual([other]);
    const taken = reduce(reduce(state, { type: 'consent', state: 'granted' }), {
      type: 'took-part',
      round: 3,
    });
    expect(taken.said).toBe('Your browser took part in round 3.');
    expect(reduce(taken, { type: 'forgotten' })).toEqual({
      ...emptyState(setting),
      said: 'Everything that was kept in this browser is gone.',
    });
  });

  it('says so when the coordinator is gone', () => {
    expect(lastRound(emptyState(setting))).toContain('No connection to the coordinator');
    expect(lastRound(reduce(emptyState(setting), { type: 'live', live: true }))).toBe(
      'The first round is on its way.',
    );
  });
});
