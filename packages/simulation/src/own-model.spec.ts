import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generateFilmShelf } from '@tutti/datasets';
import { describe, expect, it } from 'vitest';
import type { OwnModel } from '@tutti/model';
import { simulate, type SimulationOptions } from './index.ts';

const example = new URL('../../../docs/examples/gru.ts', import.meta.url);
const { gru } = (await import(example.href)) as { gru: OwnModel };

const base: SimulationOptions = {
  dataset: generateFilmShelf({ seed: 1, users: 100, items: 100, clusters: 4 }),
  model: gru,
  strategyName: 'fedavg',
  learningRate: 2,
  cohort: 32,
  rounds: 7,
  workers: 1,
  backend: 'wasm',
  protocol: 'plain',
};

describe('an app’s own model in a simulation', () => {
  it('is the GRU of docs/own-model.md, which learns in a few rounds', async () => {
    const { rounds, final, model, backend } = await simulate(base);
    expect([model['name'], backend]).toEqual(['gru', 'wasm']);
    // log 21 for each of one chosen and 20 drawn items, before anything is learnt.
    expect(rounds[0]?.loss).toBeCloseTo(Math.log(21), 1);
    expect(rounds.at(-1)?.loss).toBeLessThan((rounds[0]?.loss ?? 0) - 0.15);
    // Chance is 0.1, with a deviation of 0.03 over 100 people: one run in a thousand by luck.
    expect(final.sampled.hr10).toBeGreaterThan(0.2);
  });

  it('ends in the same checkpoint with and without masks', async () => {
    const dataset = generateFilmShelf({ seed: 1, users: 20, items: 100, clusters: 4 });
    const options = { ...base, dataset, rounds: 1, cohort: 16 };
    const plain = await simulate(options);
    const secure = await simulate({ ...options, protocol: 'secure' });
    expect(secure.checkpointHash).toBe(plain.checkpointHash);
  });

  it('needs a module that exports it, and says so', async () => {
    const { module: _, ...nowhere } = gru;
    await expect(simulate({ ...base, model: nowhere })).rejects.toThrow('module: import.meta.url');
    const other = { ...gru, config: { ...gru.config, version: 2 } };
    await expect(simulate({ ...base, model: other })).rejects.toThrow('exports no model gru 2');
  });

  it('stands in the documentation as it stands in the example', () => {
    const text = (path: string): string =>
      readFileSync(fileURLToPath(new URL(`../../../docs/${path}`, import.meta.url)), 'utf8');
    expect(text('own-model.md')).toContain(`\`\`\`ts\n${text('examples/gru.ts')}\`\`\`\n`);
  });
});
