/**
 * Simulated clients a second, whole pipeline: training, clipping, quantising, sum, server step.
 *
 *     node --import ./packages/base/source.js packages/simulation/bench/clients.bench.ts [DATASET FOLDER]
 */
import { availableParallelism, cpus } from 'node:os';
import { generateFilmShelf } from '@tutti/datasets';
import { loadDataset } from '@tutti/datasets/node';
import { simulate, type SimulationOptions } from '../src/index.ts';

const folder = process.argv[2];
const dataset =
  folder === undefined ? generateFilmShelf({ seed: 1, users: 600, items: 800 }) : await loadDataset(folder);
const RUNS = 3;
const settings: readonly (readonly [string, Partial<SimulationOptions>])[] = [
  ['mf d=32, plain', { model: { family: 'mf', dimension: 32 }, protocol: 'plain' }],
  ['mf d=32, secure', { model: { family: 'mf', dimension: 32 }, protocol: 'secure' }],
  ['mlp d=16 32-16, plain', { model: { family: 'mlp', dimension: 16 }, protocol: 'plain' }],
];
const lines: string[] = [];
for (const [name, options] of settings) {
  const speeds: number[] = [];
  const hashes = new Set<string>();
  for (let run = 0; run < RUNS; run++) {
    const result = await simulate({
      model: { family: 'mf' },
      dataset,
      rounds: 3,
      cohort: Math.min(120, dataset.users),
      seed: 1,
      ...options,
    });
    speeds.push(result.clientsPerSecond);
    hashes.add(result.checkpointHash);
  }
  if (hashes.size !== 1) throw new Error(`${name}: runs with one seed ended in different checkpoints`);
  speeds.sort((a, b) => a - b);
  lines.push(
    `| ${name} | ${speeds[RUNS >> 1]?.toFixed(0)} | ${speeds[0]?.toFixed(0)} – ${speeds.at(-1)?.toFixed(0)} |`,
  );
}
process.stdout.write(
  [
    `${dataset.name}: ${dataset.users} people, ${dataset.items} items; 3 rounds of ${Math.min(120, dataset.users)}, ${availableParallelism()} threads`,
    `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}`,
    '',
    '| model | median clients/s | spread |',
    '| --- | --: | --- |',
    ...lines,
    '',
  ].join('\n'),
);
