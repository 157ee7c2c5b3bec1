import { expect, it } from 'vitest';
import { genrePopularity } from './genre-popularity.ts';

const train = {
  users: 3,
  items: 5,
  offsets: Int32Array.of(0, 2, 4, 5),
  values: Int32Array.of(0, 1, 0, 1, 0),
};

it('scores items by the mean popularity of their genres, those that nobody touched too', () => {
  // War: item 0, touched by 3; love: items 0 and 1, touched by 3 and 2.
  const genres = [['war', 'love'], ['love'], ['war'], ['love', 'war'], ['unheard of']];
  expect([...genrePopularity(train, genres).score(0)]).toEqual([2.75, 2.5, 3, 2.75, 0]);
});

it('scores an item without genres 0, and refuses lists that are not one an item', () => {
  expect([...genrePopularity(train, [[], [], [], [], []]).score(1)]).toEqual([0, 0, 0, 0, 0]);
  expect(() => genrePopularity(train, [[]])).toThrow('genres of 1 items; there are 5');
});
