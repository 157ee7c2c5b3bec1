import { describe, expect, it } from 'vitest';
import { configJsonSchema, decodeConfig } from './config.ts';

const catalogue = { ids: ['a', 'b'] };

describe('the configuration', () => {
  it('has a JSON schema beside it that editors complete from, made from the same definition', async () => {
    await expect(`${JSON.stringify(configJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(
      '../config.schema.json',
    );
  });

  it('fills in every default', () => {
    const config = decodeConfig({ tasks: [{ name: 'films', catalogue }] });
    expect(config).toMatchObject({ listen: { host: '127.0.0.1', port: 4_170 }, store: 'lmdb:./.tutti' });
    expect(config.tasks[0]).toMatchObject({
      model: { family: 'mlp' },
      round: { cohort: 100, largestGroup: 128 },
      privacy: { mechanism: 'skellam', noiseMultiplier: 0.02 },
      insecureSmallCohort: false,
    });
  });

  it('is refused with every problem at once, each with its path', () => {
    const wrong = { listen: { port: 70_000 }, tasks: [{ name: 'Films!', catalogue: { ids: [] }, rouns: 3 }] };
    expect(() => decodeConfig(wrong)).toThrow(
      /listen\.port[^]*tasks\[0\]\.name[^]*tasks\[0\]\.catalogue\.ids[^]*rouns/,
    );
    expect(() => decodeConfig(null)).toThrow('config');
  });

  it('refuses a catalogue that names an item twice, or has too few titles', () => {
    const catalogue = { ids: ['a', 'b', 'a'], titles: ['A'], genres: [[], [], []] };
    expect(() => decodeConfig({ tasks: [{ name: 'films', catalogue }] })).toThrow(
      /catalogue\.ids: a stands there twice[^]*catalogue\.titles: has 1 entries; there are 3 ids/,
    );
  });
});
