import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lines } from '../test/sources.ts';
import { DatasetFormatError, DatasetNotFoundError } from './errors.ts';
import { loadDataset } from './load.ts';

const TRAIN = lines('0\t0\t1', '0\t1\t1', '1\t2\t1');
const NCF = {
  'x.train.rating': TRAIN,
  'x.test.rating': lines('0\t2\t5\t1', '1\t3\t3\t2'),
  'x.test.negative': lines('(0,2)\t3', '(1,3)\t0'),
};
const U_DATA = lines('1\t10\t5\t1', '1\t11\t5\t2', '1\t12\t5\t3');

let folder = '';
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'datasets-'))));
afterEach(() => rm(folder, { recursive: true }));

async function put(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, name), name.endsWith('.gz') ? gzipSync(text) : text);
  }
}

const packed = (files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [`${name}.gz`, text]));

describe('finding a data set in a folder', () => {
  it.each([
    ['plain', NCF],
    ['packed', packed(NCF)],
  ])('NCF files, %s', async (_name, files) => {
    await put(files);
    expect(await loadDataset(folder)).toMatchObject({ name: 'x', users: 2, items: 4, interactions: 5 });
  });

  it('NCF files win over u.data beside them, which then gives the titles', async () => {
    const uItem = ['11', 'Nine Lanterns', '', '', '', ...Array.from({ length: 19 }, () => 0)].join('|');
    await put({
      ...packed(NCF),
      'u.data.gz': U_DATA,
      'u.item': uItem,
      'x.idmap.json': '{"items": [10, 11, 12, 13]}',
    });
    const { name, catalogue } = await loadDataset(folder);
    expect([name, catalogue.ids, catalogue.titles]).toEqual([
      'x',
      ['10', '11', '12', '13'],
      ['10', 'Nine Lanterns', '12', '13'],
    ]);
  });

  it('titles of NCF files from X.items.tsv', async () => {
    await put({
      ...NCF,
      'x.items.tsv.gz': lines('h', ...[0, 1, 2, 3].map((n) => `${n}\tm${n}\tFilm ${n}\tDrama`)),
    });
    expect((await loadDataset(folder)).catalogue.titles?.[3]).toBe('Film 3');
  });

  it.each([
    ['u.data', { 'u.data': U_DATA }, 'u.data'],
    [
      'ratings.dat',
      { 'ratings.dat.gz': U_DATA.replaceAll('\t', '::'), 'movies.dat': '11::Nine Lanterns::Drama\n' },
      'ratings.dat.gz',
    ],
    [
      'ratings.csv',
      {
        'ratings.csv': `userId,movieId,rating,timestamp\n${U_DATA.replaceAll('\t', ',')}`,
        'movies.csv': 'movieId,title\n11,Nine Lanterns\n',
        'links.csv': 'movieId\n',
      },
      'ratings.csv',
    ],
    [
      'the only table',
      {
        'likes.tsv.gz': `user\titem\trating\ttime\n${U_DATA}`,
        'items.csv': 'item,title\n11,Nine Lanterns\n',
      },
      'likes.tsv.gz',
    ],
  ])('%s, as a folder and as a file', async (_name, files, file) => {
    await put(files);
    const whole = await loadDataset(folder);
    expect(whole).toMatchObject({ users: 1, items: 3, interactions: 3 });
    expect(whole.catalogue.ids).toEqual(['10', '11', '12']);
    if (Object.keys(files).length > 1) expect(whole.catalogue.titles?.[1]).toBe('Nine Lanterns');
    expect({ ...(await loadDataset(join(folder, file))), name: '' }).toEqual({ ...whole, name: '' });
  });

  it('a train.rating named as a file, where the folder holds several sets', async () => {
    const other = Object.entries(NCF).map(([name, text]) => [name.replace('x', 'y'), text]);
    await put({ ...NCF, ...(Object.fromEntries(other) as Record<string, string>) });
    expect((await loadDataset(join(folder, 'y.train.rating'))).name).toBe('y');
    await expect(loadDataset(folder)).rejects.toThrow('one set, not 2: x, y');
  });

  it('takes the unpacked file where both are there', async () => {
    await put({ 'u.data': U_DATA, 'u.data.gz': 'not read\n' });
    expect((await loadDataset(folder)).users).toBe(1);
  });

  it('hands its options to the split of ratings', async () => {
    await put({ 'u.data': U_DATA });
    await expect(loadDataset(folder, { minimumInteractions: 4 })).rejects.toThrow('has 4 interactions');
  });
});

describe('finding none', () => {
  it.each([
    ['an empty folder', {}, 'Found: nothing'],
    ['other files', { 'README.md': 'hello', 'b.txt': '' }, 'Found: README.md, b.txt'],
    ['two tables', { 'a.csv': '', 'b.csv': '' }, 'Found: a.csv, b.csv'],
  ])('%s: lists what was looked for and what is there', async (_name, files, found) => {
    await put(files);
    const error = await loadDataset(folder).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DatasetNotFoundError);
    expect(error).toMatchObject({ code: 'datasets/not-found', fault: 'caller', path: folder });
    expect(String(error)).toContain(found);
    for (const kind of ['X.train.rating', 'u.data', 'ratings.dat', 'ratings.csv', 'header']) {
      expect(String(error)).toContain(kind);
    }
  });

  it('no such path: says that and nothing else', async () => {
    const error = await loadDataset(join(folder, 'nowhere')).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DatasetNotFoundError);
    expect((error as Error).message).toBe(
      `${join(folder, 'nowhere')}: there is no file or folder of this name`,
    );
  });

  it('takes a packed file for one that is asked for by its plain name', async () => {
    await put({ 'u.data.gz': U_DATA });
    const named = await loadDataset(join(folder, 'u.data'));
    expect(named.interactions).toBe((await loadDataset(folder)).interactions);
  });

  it('a part of NCF files', async () => {
    await put({ 'x.train.rating': TRAIN, 'x.test.rating': NCF['x.test.rating'] });
    await expect(loadDataset(folder)).rejects.toThrow('x.test.negative beside x.train.rating');
  });

  it('a file that is not packed, or cut short', async () => {
    await writeFile(join(folder, 'u.data.gz'), U_DATA);
    await expect(loadDataset(folder)).rejects.toThrow('u.data.gz, file: cannot be unpacked');
    await writeFile(join(folder, 'u.data.gz'), gzipSync(U_DATA).subarray(0, 20));
    await expect(loadDataset(folder)).rejects.toThrow(DatasetFormatError);
  });

  it('a bad line, by the name of the packed file', async () => {
    await put({ 'u.data.gz': `${U_DATA}1\tx\t1\t1\n` });
    await expect(loadDataset(folder)).rejects.toThrow('u.data.gz, line 4, item: is "x"');
  });
});

const data = process.env['TUTTI_DATA'];
const holds = (name: string): boolean => data !== undefined && existsSync(join(data, name));

describe('published data (only where TUTTI_DATA names its folder)', () => {
  it.skipIf(!holds('ml-1m'))('MovieLens 1M, files of He et al.: the counts of the paper', async () => {
    const set = await loadDataset(join(data!, 'ml-1m'));
    expect(set).toMatchObject({
      name: 'ml-1m',
      users: 6_040,
      items: 3_706,
      interactions: 1_000_209,
      validationInsideTrain: true,
    });
    expect(set.train.values).toHaveLength(994_169);
    expect(set.catalogue.titles?.[0]).toBe("One Flew Over the Cuckoo's Nest (1975)");
    const repeating = set.test.negatives.filter((row, user) =>
      row.includes(set.test.positives[user]!),
    ).length;
    expect(repeating).toBe(156);
  });

  it.skipIf(!holds('ml-100k'))(
    'MovieLens 100K: the published split, and one of our own from u.data',
    async () => {
      const set = await loadDataset(join(data!, 'ml-100k'));
      expect(set).toMatchObject({
        name: 'ml-100k',
        users: 943,
        items: 1_682,
        interactions: 100_000,
        validationInsideTrain: false,
      });
      const own = await loadDataset(join(data!, 'ml-100k', 'u.data.gz'));
      expect(own).toMatchObject({ name: 'u.data', users: 943, items: 1_682, interactions: 100_000 });
      expect(own.train.values).toHaveLength(98_114);
      expect(own.catalogue.titles).toContain('Toy Story (1995)');
    },
  );
});
