/**
 * Milliseconds that each engine and backend here trains one made-up person: 165 items of 3,706, a narrow and a wide model.
 *
 *     node --import ./packages/base/source.js packages/engine-simd/bench/backends.bench.ts
 */
import { cpus } from 'node:os';
import { keepLocal, seededRandom } from '@tutti/base';
import {
  type BackendName,
  createModel,
  initialShared,
  type ModelInput,
  resolveModelConfig,
} from '@tutti/model';
import type { EngineChoice } from '../src/index.ts';
import { openNodeEngine } from '../src/node.ts';

const ITEMS = 3_706;
const HISTORY = 165;
const RUNS = 9;
const inputs: readonly (readonly [string, ModelInput])[] = [
  ['mlp 32, 32-16, batch 64', { family: 'mlp', dimension: 32, hidden: [32, 16], batchSize: 64 }],
  ['mlp 128, 256-128, batch 256', { family: 'mlp', dimension: 128, hidden: [256, 128], batchSize: 256 }],
];
const engines: readonly (readonly [EngineChoice, BackendName | 'auto'])[] = [
  ['simd', 'auto'],
  ['ts', 'auto'],
  ['tfjs', 'wasm'],
  ['tfjs', 'tensorflow'],
  ['tfjs', 'cpu'],
];
const lines: string[] = [];
for (const [name, input] of inputs) {
  const model = createModel(resolveModelConfig(input, { items: ITEMS, meanHistory: HISTORY }), ITEMS);
  const losses: number[] = [];
  for (const [engine, backend] of engines) {
    const opened = await openNodeEngine({ model, engine, backend }).catch(() => undefined);
    if (opened === undefined) {
      lines.push(`| ${name} | ${backend} | not here | |`);
      continue;
    }
    const loaded = await opened.engine.load(initialShared(model, seededRandom(1)));
    const data = { positives: keepLocal(Int32Array.from({ length: HISTORY }, (_, i) => i * 22)) };
    const local = keepLocal(new Float32Array(model.localLength).fill(0.1));
    const times: number[] = [];
    for (let run = 0; run <= RUNS; run++) {
      const start = performance.now();
      const { loss } = await loaded.train(local, data, seededRandom(2));
      // The first run fills caches.
      if (run > 0) times.push(performance.now() - start);
      else losses.push(loss);
    }
    loaded.dispose();
    times.sort((a, b) => a - b);
    const ms = (value: number | undefined): string => (value ?? Number.NaN).toFixed(2);
    lines.push(
      `| ${name} | ${opened.engine.backend} | ${ms(times[RUNS >> 1])} | ${ms(times[0])} – ${ms(times.at(-1))} |`,
    );
  }
  const spread = Math.max(...losses) - Math.min(...losses);
  if (!(spread < 1e-5)) throw new Error(`${name}: losses ${losses.join(', ')} are not the same`);
}
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}\n`);
console.log('| model | engine or backend | ms a person (median) | range |\n| --- | --- | --: | --: |');
console.log(lines.join('\n'));
