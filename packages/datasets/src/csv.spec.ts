import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileOf, lines } from '../test/sources.ts';
import { parseCsvItems, parseCsvRatings } from './csv.ts';
import { DatasetFormatError } from './errors.ts';
import { MAX_LINE_BYTES, MAX_TEXT } from './limits.ts';

describe('a table of ratings', () => {
  it.each([
    ['MovieLens latest', 'userId,movieId,rating,timestamp', '1,7,4.0,964982703'],
    ['snake case, other order', 'timestamp,item_id,user_id,stars', '964982703,7,1,4'],
    ['RecBole', 'user_id:token\titem_id:token\trating:float\ttimestamp:float', '1\t7\t4\t964982703'],
    ['semicolons and quotes', '"User-ID";"ISBN";"Book-Rating";"at"', '"1";"7";"4";"964982703"'],
    ['a column more, and spaces', 'User ID, Product ID ,Score,Time,helpful', '1,7,4,964982703,yes'],
    ['a byte order mark', '\uFEFFuser,item,rating,ts', '1,7,4,964982703'],
    ['a byte order mark before a quote', '\uFEFF"user","item","rating","ts"', '1,7,4,964982703'],
    ['CR LF', 'user,item,rating,ts\r', '1,7,4,964982703\r'],
  ])('%s', (_name, header, record) => {
    expect(parseCsvRatings(fileOf(lines(header, record, '')))).toEqual({
      users: Int32Array.of(0),
      items: Int32Array.of(0),
      ratings: Float64Array.of(4),
      timestamps: Float64Array.of(964982703),
      userIds: ['1'],
      itemIds: ['7'],
    });
  });

  it('needs neither rating nor time; ids are texts, numbered by first appearance', () => {
    const parsed = parseCsvRatings(fileOf(lines('person,film', 'ada,"Salt, Road"', 'ben,x', 'ada,x')));
    expect(parsed.userIds).toEqual(['ada', 'ben']);
    expect(parsed.itemIds).toEqual(['Salt, Road', 'x']);
    expect([Array.from(parsed.users), Array.from(parsed.items)]).toEqual([
      [0, 1, 0],
      [0, 1, 1],
    ]);
    expect(parsed).not.toHaveProperty('ratings');
    expect(parsed).not.toHaveProperty('timestamps');
  });

  it.each([
    ['2024-05-01', 1_714_521_600],
    ['2024-05-01T12:30:00Z', 1_714_566_600],
    ['2024-05-01 12:30:00', 1_714_566_600],
    ['2024-05-01T14:30:00+02:00', 1_714_566_600],
    ['2024-05-01 12:30', 1_714_566_600],
    ['1.5', 1.5],
  ])('reads the time %s in seconds, in any time zone', (text, seconds) => {
    const zone = process.env['TZ'];
    try {
      for (const other of ['UTC', 'Asia/Tokyo', 'America/Lima']) {
        process.env['TZ'] = other;
        const { timestamps } = parseCsvRatings(fileOf(lines('user,item,date', `1,2,${text}`)));
        expect(timestamps).toEqual(Float64Array.of(seconds));
      }
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });

  it('a rating that is left empty is none, and a column of them is no column', () => {
    const some = parseCsvRatings(fileOf(lines('user,item,rating', '1,2,', '1,3,4')));
    expect(Array.from(some.ratings ?? [])).toEqual([Number.NaN, 4]);
    const none = parseCsvRatings(fileOf(lines('user,item,rating', '1,2,', '1,3, ')));
    expect([none.ratings, none.users.length]).toEqual([undefined, 2]);
  });

  it.each([
    [
      'no user',
      lines('item,rating', '1,2'),
      'r.csv, line 1, header: has no column for the user among "item", "rating"; one of user, userid,',
    ],
    [
      'no item',
      lines('userId,rating', '1,2'),
      'has no column for the item among "userId", "rating"; one of item, itemid,',
    ],
    [
      'no header',
      lines('1,7,4.0,964982703'),
      'has no column for the user among "1", "7", "4.0", "964982703"',
    ],
    [
      'a column that is there twice',
      lines('user_id,item,User ID', '1,2,3'),
      'r.csv, line 1, header: names "user_id" in column 1 and again in column 3; one of them needs another name',
    ],
    ['two of ratings', lines('user,item,rating,rating', '1,2,3,4'), 'names "rating" in column 3 and again'],
    [
      'a rating that float32 does not hold',
      lines('user,item,rating', '1,2,-1e308'),
      'line 2, rating: is "-1e308"; float32 holds none beyond 3.4e38',
    ],
    ['an empty id', lines('user,item', '1,2', ',3'), 'r.csv, line 3, user: is empty'],
    [
      'an endless id',
      lines('user,item', `1,${'x'.repeat(MAX_TEXT + 1)}`),
      `line 2, item: has ${MAX_TEXT + 1} characters; at most ${MAX_TEXT} are allowed`,
    ],
    [
      'a rating that is none',
      lines('user,item,rating', '1,2,good'),
      'line 2, rating: is "good"; a number is needed',
    ],
    [
      'a date of another order',
      lines('user,item,date', '1,2,05/01/2024'),
      'line 2, date: is "05/01/2024"; a number is needed',
    ],
    [
      'a month that is none',
      lines('user,item,date', '1,2,2024-13-01'),
      'line 2, date: is "2024-13-01"; a date is needed',
    ],
    [
      'too few fields',
      lines('user,item,rating', '1,2,3', '1,2'),
      'r.csv, line 3, line: is not a line of a table like the others: it has another number of fields',
    ],
    [
      'an open quote',
      lines('user,item', '1,"2', '3,4'),
      'like the others: it opens a quote that nothing closes',
    ],
    [
      'an endless record',
      lines('user,item', `1,"${'x'.repeat(2 * MAX_LINE_BYTES)}"`),
      `like the others: it is longer than ${MAX_LINE_BYTES} bytes`,
    ],
    ['only a header', lines('user,item'), 'r.csv, file: holds no rating'],
    ['nothing', '', 'r.csv, file: is empty'],
  ])('refuses %s', (_name, text, message) => {
    expect(() => parseCsvRatings(fileOf(text, 'r.csv'))).toThrow(DatasetFormatError);
    expect(() => parseCsvRatings(fileOf(text, 'r.csv'))).toThrow(message);
  });

  it('whatever comes, the answer is ratings or a DatasetFormatError', () => {
    const piece = fc.constantFrom(
      'user',
      'item',
      'rating',
      ',',
      ',',
      '\n',
      '\n',
      '"',
      '1',
      '2.5',
      '\t',
      ';',
      '\r',
      'é',
      '\0',
    );
    const random = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.array(piece, { maxLength: 40 }).map((all) => all.join('')),
    );
    const text = fc.oneof(
      random,
      random.map((rest) => `user,item,rating,time\n${rest}`),
    );
    fc.assert(
      fc.property(text, (all) => {
        for (const parse of [parseCsvRatings, parseCsvItems]) {
          try {
            parse(fileOf(all));
          } catch (error) {
            expect(error).toBeInstanceOf(DatasetFormatError);
          }
        }
      }),
      { seed: 41, numRuns: 2_000 },
    );
  });
});

describe('a table of items', () => {
  it('movies.csv of MovieLens', () => {
    const text = lines(
      'movieId,title,genres',
      '11,"American President, The (1995)",Comedy|Drama|Romance',
      '12,Nada,(no genres listed)',
      '11,Again,',
    );
    expect(parseCsvItems(fileOf(text))).toEqual(
      new Map([
        ['11', { title: 'American President, The (1995)', genres: ['Comedy', 'Drama', 'Romance'] }],
        ['12', { title: 'Nada', genres: [] }],
      ]),
    );
  });

  it('needs a title', () => {
    expect(() => parseCsvItems(fileOf(lines('id,movieId', '1,2'), 'm.csv'))).toThrow(
      'm.csv, line 1, header: has no column for the title',
    );
    expect(() => parseCsvItems(fileOf(lines('movieId,title', '1,'), 'm.csv'))).toThrow(
      'm.csv, line 2, title: is empty',
    );
  });
});
