import { DecodeError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileOf, lines } from '../test/sources.ts';
import { DatasetFormatError } from './errors.ts';
import { MAX_LINE_BYTES } from './limits.ts';
import { numbering, parseMovieLensRatings } from './ratings.ts';

/** The same parser, slow and plain. */
function parsePlainly(text: string, separator: string): unknown {
  const records = text
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '')
    .map((line) => line.split(separator).map(Number));
  const ids = (column: number): string[] =>
    Array.from(new Set(records.map((record) => String(record[column]))));
  const [userIds, itemIds] = [ids(0), ids(1)];
  return {
    users: Int32Array.from(records, (record) => userIds.indexOf(String(record[0]))),
    items: Int32Array.from(records, (record) => itemIds.indexOf(String(record[1]))),
    ratings: Float64Array.from(records, (record) => record[2]!),
    timestamps: Float64Array.from(records, (record) => record[3]!),
    userIds,
    itemIds,
  };
}

describe('ratings as GroupLens writes them', () => {
  it('u.data: tabs, ids numbered by first appearance', () => {
    const parsed = parseMovieLensRatings(
      fileOf(lines('196\t242\t3\t881250949', '186\t302\t3\t891717742', '196\t302\t4\t1')),
      '\t',
    );
    expect(parsed.userIds).toEqual(['196', '186']);
    expect(parsed.itemIds).toEqual(['242', '302']);
    expect(Array.from(parsed.users)).toEqual([0, 1, 0]);
    expect(Array.from(parsed.items)).toEqual([0, 1, 1]);
    expect(Array.from(parsed.timestamps!)).toEqual([881250949, 891717742, 1]);
  });

  it.each([
    ['ratings.dat of 1M', '1::1193::5::978300760\n1::661::3::978302109\n', 5],
    ['halves of stars, as in 10M', '1::122::4.5::838985046\n', 4.5],
    ['CR LF, an empty line, no end of line at the end', '1::2::3::4\r\n\r\n5::6::7::8', 3],
  ])('%s', (_name, text, firstRating) => {
    const parsed = parseMovieLensRatings(fileOf(text), '::');
    expect(parsed).toEqual(parsePlainly(text, '::'));
    expect(parsed.ratings![0]).toBe(firstRating);
  });

  it.each([['\t'], ['::'], ['|']] as const)('reads what the plain parser reads, between %j', (separator) => {
    const record = fc.tuple(fc.nat(30), fc.nat(4_294_967_295), fc.constantFrom(0.5, 1, 4, 5), fc.nat());
    const end = fc.constantFrom('\n', '\r\n', '\n\n');
    fc.assert(
      fc.property(fc.array(fc.tuple(record, end), { minLength: 1, maxLength: 50 }), (records) => {
        const text = records.map(([fields, tail]) => fields.join(separator) + tail).join('');
        expect(parseMovieLensRatings(fileOf(text), separator)).toEqual(parsePlainly(text, separator));
      }),
      { seed: 11, numRuns: 200 },
    );
  });
});

describe('a line of another form is refused, naming file, line, field and limit', () => {
  const good = '1\t2\t3\t4\n';
  it.each([
    [
      'a word for a user',
      `${good}ada\t2\t3\t4`,
      'u.data, line 2, user: is "ada"; a whole number from 0 to 4294967295 is needed',
    ],
    [
      'an empty item',
      '1\t\t3\t4',
      'u.data, line 1, item: is ""; a whole number from 0 to 4294967295 is needed',
    ],
    ['a negative user', '-1\t2\t3\t4', 'line 1, user: is "-1"'],
    ['a user with a sign', '+1\t2\t3\t4', 'line 1, user: is "+1"'],
    [
      'an item too large',
      '1\t4294967296\t3\t4',
      'item: is "4294967296"; a whole number from 0 to 4294967295 is needed',
    ],
    ['an endless item', `1\t${'9'.repeat(400)}\t3\t4`, 'item: is "999999999999999999999999…"'],
    ['no timestamp', `${good}\n1\t2\t3\n`, 'u.data, line 3, timestamp: is missing: the line ends before it'],
    ['a rating that is no number', '1\t2\tNaN\t4', 'rating: is "NaN"; a number is needed'],
    ['an endless rating', '1\t2\t1e999\t4', 'rating: is "1e999"; a number is needed'],
    ['a blank rating', '1\t2\t \t4', 'rating: is " "; a number is needed'],
    ['a fifth field', '1\t2\t3\t4\t5', 'line 1, line: goes on after the timestamp; 4 fields are allowed'],
    ['a tab at the end', '1\t2\t3\t4\t', 'goes on after the timestamp'],
    [
      'a line too long',
      `${good}${'1'.repeat(MAX_LINE_BYTES + 1)}`,
      `line 2, line: has ${MAX_LINE_BYTES + 1} bytes; at most ${MAX_LINE_BYTES} are allowed`,
    ],
    ['nothing', '', 'u.data, file: holds no rating'],
    ['only empty lines', '\n\n\r\n', 'u.data, file: holds no rating'],
  ])('%s', (_name, text, message) => {
    expect(() => parseMovieLensRatings(fileOf(text, 'u.data'), '\t')).toThrow(message);
  });

  it('as a DecodeError with file, line and field for code', () => {
    const error = (() => {
      try {
        return parseMovieLensRatings(fileOf('1\t2\t3\t4\n1\tx\t3\t4\n', 'u.data'), '\t');
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(DecodeError);
    expect(error).toMatchObject({
      name: 'DatasetFormatError',
      code: 'datasets/format',
      fault: 'peer',
      file: 'u.data',
      line: 2,
      field: 'item',
    });
  });

  it('more different ids than allowed', () => {
    const numbers = numbering<number>(
      2,
      (problem) => new DatasetFormatError({ file: 'f', line: 1, field: 'item' }, problem),
    );
    expect([7, 8, 7].map((id) => numbers.indexOf(id))).toEqual([0, 1, 0]);
    expect(() => numbers.indexOf(9)).toThrow(
      'f, line 1, item: is one more than the 2 different ones allowed',
    );
  });

  it('whatever bytes come, the answer is ratings or a DatasetFormatError', () => {
    const mostly = fc.array(fc.constantFrom(9, 10, 13, 48, 49, 57, 58, 45, 46, 101, 255), { maxLength: 60 });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          mostly.map((bytes) => Uint8Array.from(bytes)),
        ),
        (bytes) => {
          for (const separator of ['\t', '::', '|'] as const) {
            try {
              const { users, items, timestamps } = parseMovieLensRatings({ file: 'f', bytes }, separator);
              expect(items).toHaveLength(users.length);
              expect(timestamps).toHaveLength(users.length);
            } catch (error) {
              expect(error).toBeInstanceOf(DatasetFormatError);
            }
          }
        },
      ),
      { seed: 12, numRuns: 2_000 },
    );
  });
});
