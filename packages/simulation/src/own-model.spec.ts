import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { UsageError } from '@tutti/base';
import { generateFilmShelf } from '@tutti/datasets';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

  describe('whose code is wrong', () => {
    let folder = '';
    beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'tutti-own-'))));
    afterAll(() => rm(folder, { recursive: true }));

    async function failureOf(name: string, score: string): Promise<{ failure: unknown; rounds: number }> {
      const file = join(folder, `${name}.mjs`);
      await writeFile(
        file,
        `${score}\nexport const wrong = { config: ${JSON.stringify(gru.config)}, score,
           loss: (tf, { scores }) => tf.mean(scores) };`,
      );
      let rounds = 0;
      const run = simulate({
        ...base,
        model: { ...gru, module: pathToFileURL(file).href },
        onRound: () => rounds++,
      });
      return { failure: await run.catch((error: unknown) => error), rounds };
    }

    it('is refused before the first round, in the words of its error', async () => {
      const found = await failureOf(
        'throws',
        `function score() { throw new TypeError('tastes is undefined'); }`,
      );
      expect(found).toEqual({
        failure: new UsageError('model gru 1, score: tastes is undefined'),
        rounds: 0,
      });
      expect(found.failure).toBeInstanceOf(UsageError);
    });

    it('ends the simulation where only some person meets it', async () => {
      const { failure } = await failureOf(
        'batch',
        `function score(tf, { shared, items }) {
           if (items.shape[0] > 8) throw new Error('too many at once');
           return tf.sum(tf.gather(shared.items, items), 2);
         }`,
      );
      expect(failure).toBeInstanceOf(UsageError);
      expect((failure as Error).message).toBe('model gru 1, score: too many at once');
    });

    it('is named where its module cannot be imported', async () => {
      const { failure } = await failureOf('import', `throw new Error('no such table');`);
      expect(failure).toBeInstanceOf(UsageError);
      expect((failure as Error).message).toMatch(
        /^model gru 1: its module .* cannot be imported: no such table$/,
      );
    });
  });

  it('trains in TensorFlow.js alone, which is said before threads start', async () => {
    await expect(simulate({ ...base, backend: 'auto', engine: 'ts' })).rejects.toThrow(
      "engine: an app's own model (gru) trains in TensorFlow.js, and the engine ts has no part in it; leave the engine out",
    );
    await expect(simulate({ ...base, backend: 'wasm', engine: 'simd' })).rejects.toThrow(
      'backend: wasm is one of TensorFlow.js, and the engine simd has none',
    );
  });

  it('stands in the documentation as it stands in the example', () => {
    const text = (path: string): string =>
      readFileSync(fileURLToPath(new URL(`../../../docs/${path}`, import.meta.url)), 'utf8');
    expect(text('own-model.md')).toContain(`\`\`\`ts\n${text('examples/gru.ts')}\`\`\`\n`);
  });
});
