import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogueFile } from './catalogue-file.ts';

let folder = '';
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'tutti-catalogue-'))));
afterAll(() => rm(folder, { recursive: true }));

const read = async (name: string, text: string) => {
  const path = join(folder, name);
  await writeFile(path, text);
  return catalogueFile(path);
};

describe('a catalogue file', () => {
  it('has a column for each thing that is said of items, vectors between spaces', async () => {
    const text = 'id,title,genres,vector\nf1,One,War|Love,0.5 -1 2e3\nf2,Two,,\n';
    expect(await read('films.csv', text)).toEqual({
      ids: ['f1', 'f2'],
      titles: ['One', 'Two'],
      genres: [['War', 'Love'], []],
      vectors: [[0.5, -1, 2_000], []],
    });
    expect(await read('bare.csv', 'item\nf1\n')).toEqual({ ids: ['f1'] });
  });

  it.each(['NaN', 'Infinity', 'x', '1,5'])('refuses %j in a vector, by the item', async (number) => {
    await expect(read('wrong.csv', `id,vector\nf1,1 2\nf2,"3 ${number}"\n`)).rejects.toThrow(
      `the vector of item f2 has ${number}; a finite number is needed`,
    );
  });

  it('refuses a file without a column of ids', async () => {
    await expect(read('none.csv', 'name\nf1\n')).rejects.toThrow('the header has name');
  });
});
