import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileOf, lines } from '../test/sources.ts';
import { DatasetFormatError } from './errors.ts';
import { parseIdMap, parseItemsTsv, parseMoviesDat, parseUItem, textsOf } from './item-texts.ts';

/** `u.item`: 19 flags, of which those at `on` are set. */
const uItem = (id: string, title: string, ...on: readonly number[]): string =>
  [
    id,
    title,
    '01-Jan-1995',
    '',
    'http://us.imdb.com/',
    ...Array.from({ length: 19 }, (_, n) => (on.includes(n) ? 1 : 0)),
  ].join('|');

describe('titles', () => {
  it('u.item, in Latin-1 as GroupLens publishes it', () => {
    const source = fileOf(
      lines(uItem('1', 'Misérables, Les (1995)', 8, 12), uItem('2', 'unknown', 0)),
      'u.item',
      'latin1',
    );
    expect(parseUItem(source)).toEqual(
      new Map([
        ['1', { title: 'Misérables, Les (1995)', genres: ['Drama', 'Musical'] }],
        ['2', { title: 'unknown', genres: [] }],
      ]),
    );
  });

  it('the same table as RecBole wrote it, in UTF-8', () => {
    const header = 'item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq';
    const source = fileOf(
      lines(header, "1\tToy Story\t1995\tAnimation Children's Comedy", '2\tÉté\t\tunknown'),
    );
    expect(parseUItem(source)).toEqual(
      new Map([
        ['1', { title: 'Toy Story (1995)', genres: ['Animation', "Children's", 'Comedy'] }],
        ['2', { title: 'Été', genres: [] }],
      ]),
    );
  });

  it('movies.dat of 1M', () => {
    const source = fileOf('73::Misérables, Les (1995)::Drama|Musical\r\n', 'movies.dat', 'latin1');
    expect(parseMoviesDat(source).get('73')).toEqual({
      title: 'Misérables, Les (1995)',
      genres: ['Drama', 'Musical'],
    });
  });

  it('items.tsv, whose lines stand in the order of the indexes', () => {
    const { ids, texts } = parseItemsTsv(
      fileOf(lines('itemId\tmovieId\ttitle\tgenres', '0\t1193\tA\tDrama', '1\t661\tB\t')),
    );
    expect(ids).toEqual(['1193', '661']);
    expect(texts.get('661')).toEqual({ title: 'B', genres: [] });
  });

  it('idmap.json', () => {
    expect(parseIdMap(fileOf('{"users": [5], "items": [55, "x", 0]}'))).toEqual(['55', 'x', '0']);
  });

  it('an item without a title shows its id', () => {
    const texts = new Map([['a', { title: 'A', genres: ['Drama'] }]]);
    expect(textsOf(['a', 'b'], texts)).toEqual({ titles: ['A', 'b'], genres: [['Drama'], []] });
    expect(textsOf(['a'], new Map())).toEqual({});
  });
});

describe('tables of another form are refused', () => {
  it.each([
    [
      'an item of u.item twice',
      () => parseUItem(fileOf(lines(uItem('1', 'A'), uItem('1', 'B')), 'u.item')),
      'u.item, line 2, item: "1" stands there twice',
    ],
    [
      'too few flags',
      () => parseUItem(fileOf('1|A|||x|0|1', 'u.item')),
      'u.item, line 1, genres: has 2 flags; 19 of 0 or 1 are needed',
    ],
    [
      'a flag of 2',
      () => parseUItem(fileOf(uItem('1', 'A').replace(/0$/, '2'))),
      'line 1, genres: has 19 flags; 19 of 0 or 1 are needed',
    ],
    ['no title', () => parseMoviesDat(fileOf('7', 'movies.dat')), 'movies.dat, line 1, title: is missing'],
    [
      'an endless title',
      () => parseMoviesDat(fileOf(`7::${'x'.repeat(1_001)}::Drama`)),
      'line 1, title: has 1001 characters; at most 1000 are allowed',
    ],
    [
      'an index left out',
      () => parseItemsTsv(fileOf(lines('h', '0\ta\tA\t', '2\tb\tB\t'))),
      'line 3, itemId: is "2"; 1 is next',
    ],
    ['no JSON', () => parseIdMap(fileOf('{', 'x.json')), 'x.json, file: is not JSON'],
    ['JSON of another kind', () => parseIdMap(fileOf('7')), 'file: is not a JSON object'],
    ['items that are no list', () => parseIdMap(fileOf('{"items": {}}')), 'items: is not a list'],
    ['an id that is none', () => parseIdMap(fileOf('{"items": [1, null]}')), 'items[1]: is not an id'],
    ['an id twice', () => parseIdMap(fileOf('{"items": [1, "1"]}')), 'items: holds an id twice'],
  ])('%s', (_name, parse, message) => {
    expect(parse).toThrow(DatasetFormatError);
    expect(parse).toThrow(message);
  });

  it('whatever bytes come, the answer is texts or a DatasetFormatError', () => {
    const piece = fc.constantFrom(
      '|',
      '\t',
      '::',
      '\n',
      '0',
      '1',
      'a',
      'item_id:token',
      '"',
      '[',
      ']',
      '{"items":',
      '}',
      'é',
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.array(piece, { maxLength: 60 }).map((all) => fileOf(all.join('')).bytes),
    );
    fc.assert(
      fc.property(bytes, (all) => {
        for (const parse of [parseUItem, parseMoviesDat, parseItemsTsv, parseIdMap]) {
          try {
            parse({ file: 'f', bytes: all });
          } catch (error) {
            expect(error).toBeInstanceOf(DatasetFormatError);
          }
        }
      }),
      { seed: 42, numRuns: 2_000 },
    );
  });
});
