import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileOf, lines } from '../test/sources.ts';
import { DatasetFormatError } from './errors.ts';
import { splitFromNcf, type NcfFiles } from './ncf.ts';

/** Two people, six items. */
const TRAIN = lines('0\t0\t1', '0\t1\t1', '1\t2\t1', '1\t0\t1');
const TEST = lines('0\t2\t5\t978824351', '1\t3\t3\t978300174');
const NEGATIVES = lines('(0,2)\t3\t4\t5', '(1,3)\t1\t3\t4');

function filesOf(
  texts: Partial<Record<'train' | 'test' | 'negatives' | 'valid' | 'validNegatives', string>> = {},
): NcfFiles {
  return {
    name: 'x',
    train: fileOf(texts.train ?? TRAIN, 'x.train.rating'),
    test: fileOf(texts.test ?? TEST, 'x.test.rating'),
    testNegatives: fileOf(texts.negatives ?? NEGATIVES, 'x.test.negative'),
    validation: texts.valid === undefined ? undefined : fileOf(texts.valid, 'x.valid.rating'),
    validationNegatives:
      texts.validNegatives === undefined ? undefined : fileOf(texts.validNegatives, 'x.valid.negative'),
  };
}

describe('a published split', () => {
  it('is taken as it is: a candidate that repeats the positive stays for ranking to drop', () => {
    const data = splitFromNcf(filesOf());
    expect(data).toMatchObject({
      name: 'x',
      users: 2,
      items: 6,
      interactions: 6,
      validationInsideTrain: false,
    });
    expect(data.validation).toBeUndefined();
    expect(Array.from(data.train.offsets)).toEqual([0, 2, 4]);
    expect(Array.from(data.train.values)).toEqual([0, 1, 2, 0]);
    expect(Array.from(data.test.positives)).toEqual([2, 3]);
    expect(Array.from(data.test.negatives[1]!)).toEqual([1, 3, 4]);
    expect(data.catalogue).toEqual({ ids: ['0', '1', '2', '3', '4', '5'] });
  });

  it('finds validation items inside training, as in the files of MovieLens 1M', () => {
    const inside = { valid: lines('0\t1\t1', '1\t2\t1'), validNegatives: lines('(0,1)\t3', '(1,2)\t4') };
    const data = splitFromNcf(filesOf(inside));
    expect(data).toMatchObject({ validationInsideTrain: true, interactions: 6 });
    expect(Array.from(data.validation!.positives)).toEqual([1, 2]);
  });

  it('and outside of it, where they count as interactions of their own', () => {
    const outside = { valid: lines('0\t5\t1', '1\t5\t1'), validNegatives: lines('(0,5)\t3', '(1,5)\t4') };
    expect(splitFromNcf(filesOf(outside))).toMatchObject({ validationInsideTrain: false, interactions: 8 });
  });

  it('calls them inside as soon as one is, for then a figure on them is not honest', () => {
    const mixed = { valid: lines('0\t1\t1', '1\t5\t1'), validNegatives: lines('(0,1)\t3', '(1,5)\t4') };
    expect(splitFromNcf(filesOf(mixed))).toMatchObject({ validationInsideTrain: true, interactions: 7 });
  });

  it('keeps times only where every line of training has one', () => {
    const timed = splitFromNcf(filesOf({ train: lines('1\t2\t1\t30', '0\t0\t1\t10', '0\t1\t1\t20') }));
    expect(Array.from(timed.train.timestamps!)).toEqual([10, 20, 30]);
    const partly = splitFromNcf(filesOf({ train: lines('1\t2\t1\t30', '0\t0\t1', '0\t1\t1\t20') }));
    expect(partly.train.timestamps).toBeUndefined();
  });

  it('takes lines without a rating, counts repeated lines once, and takes people without a held-out item', () => {
    const data = splitFromNcf(filesOf({ train: lines('0\t0', '0\t1', '0\t0', '3\t5') }));
    expect(Array.from(data.train.offsets)).toEqual([0, 2, 2, 2, 3]);
    expect(Array.from(data.test.positives)).toEqual([2, 3, -1, -1]);
    expect(data.test.negatives[3]).toHaveLength(0);
  });

  it('shows ids and titles where it is given some', () => {
    const texts = new Map([['m1', { title: 'Nine Lanterns', genres: ['Drama'] }]]);
    const data = splitFromNcf({ ...filesOf(), itemIds: ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'], texts });
    expect(data.items).toBe(7);
    expect(data.catalogue.titles?.slice(0, 2)).toEqual(['m0', 'Nine Lanterns']);
    expect(data.catalogue.genres?.slice(0, 2)).toEqual([[], ['Drama']]);
  });
});

describe('a published split that contradicts itself is refused', () => {
  it.each([
    [
      'a test item that is trained on',
      { test: lines('0\t1\t5', '1\t3\t3'), negatives: lines('(0,1)\t3', '(1,3)\t1') },
      'x.test.rating, line 1, item: is in the training part of this user too',
    ],
    [
      'two test items of one user',
      { test: lines('0\t2\t5', '', '0\t3\t3') },
      'x.test.rating, line 3, user: has a held-out item already',
    ],
    [
      'candidates for another item',
      { negatives: lines('(0,2)\t3', '(1,4)\t1') },
      'x.test.negative, line 2, (user,item): is not the item held out for this user',
    ],
    [
      'candidates for somebody else',
      { negatives: lines('(7,2)\t3', '(1,3)\t1') },
      'x.test.negative, line 1, (user,item): names a user without a held-out item',
    ],
    [
      'candidates twice',
      { negatives: lines('(0,2)\t3', '(0,2)\t3') },
      'line 2, user: has candidates already',
    ],
    [
      'candidates for some only',
      { negatives: lines('(0,2)\t3') },
      'x.test.negative, file: has candidates for 1 users; x.test.rating holds items of 2 out',
    ],
    ['no candidates', { negatives: lines('(0,2)', '(1,3)\t1') }, 'line 1, candidate 1: is missing'],
    [
      'another form of pair',
      { negatives: lines('0,2\t3', '(1,3)\t1') },
      'line 1, (user,item): is "0,2"; a pair such as "(0,25)" is needed',
    ],
    [
      'a candidate that is no number',
      { negatives: lines('(0,2)\t3\tx', '(1,3)\t1') },
      'line 1, candidate 2: is "x"; a whole number from 0 to 999999 is needed',
    ],
    [
      'a user that would take gigabytes',
      { train: lines('4000000000\t1') },
      'x.train.rating, line 1, user: is "4000000000"; a whole number from 0 to 1999999 is needed',
    ],
    [
      'an item that would take gigabytes',
      { train: lines('0\t1000000') },
      'line 1, item: is "1000000"; a whole number from 0 to 999999 is needed',
    ],
    ['no interactions', { train: '\n' }, 'x.train.rating, file: holds no interaction'],
    [
      'validation without candidates',
      { valid: lines('0\t1\t1') },
      'x.valid.rating, file: has no file of candidates',
    ],
    [
      'five fields',
      { train: lines('0\t1\t1\t2\t3') },
      'line 1, line: goes on after the timestamp; 4 fields are allowed',
    ],
  ])('%s', (_name, texts, message) => {
    expect(() => splitFromNcf(filesOf(texts))).toThrow(DatasetFormatError);
    expect(() => splitFromNcf(filesOf(texts))).toThrow(message);
  });

  it('whatever one changes in the files, the answer is a split or a DatasetFormatError', () => {
    const piece = fc.constantFrom('0', '1', '9', '\t', '\n', '(', ')', ',', '-', 'x', '\r', '');
    const change = fc.tuple(fc.constantFrom('train', 'test', 'negatives'), fc.nat(60), fc.nat(2), piece);
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const texts: Record<string, string> = { train: TRAIN, test: TEST, negatives: NEGATIVES };
        for (const [name, at, cut, text] of changes) {
          const old = texts[name]!;
          texts[name] = old.slice(0, at) + text + old.slice(at + cut);
        }
        try {
          const data = splitFromNcf(filesOf(texts));
          expect(data.train.offsets).toHaveLength(data.users + 1);
          expect(data.train.values.every((item) => item < data.items)).toBe(true);
          data.test.positives.forEach((item, user) => {
            expect(data.test.negatives[user]!.length > 0).toBe(item >= 0);
          });
        } catch (error) {
          expect(error).toBeInstanceOf(DatasetFormatError);
        }
      }),
      { seed: 31, numRuns: 2_000 },
    );
  });
});
