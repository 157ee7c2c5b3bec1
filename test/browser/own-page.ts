import { keepLocal, seededRandom } from '@tutti/base';
import { type BackendName, createModel, initialShared, wholeDelta } from '@tutti/model';
import { habits } from './own-definition.ts';
import { alive, ownEngine } from './own-tensorflow.ts';

const ITEMS = 30;

/** Losses of a person's first rounds, each from the weights that the one before left; and tensors that each left behind. */
async function losses(backend: BackendName): Promise<{ losses: number[]; left: number[] }> {
  const model = createModel(habits.config, ITEMS);
  const engine = await ownEngine(model, backend);
  let shared = initialShared(model, seededRandom('own model'));
  const data = { positives: keepLocal(Int32Array.of(3, 7, 1, 22, 9, 4)) };
  const result = { losses: [] as number[], left: [] as number[] };
  const before = alive();
  for (let round = 0; round < 2; round++) {
    const loaded = await engine.load(shared);
    const update = await loaded.train(undefined, data, seededRandom(`round ${round}`));
    const delta = wholeDelta(update, model);
    shared = shared.map((weight, at) => weight + (delta[at] as number));
    loaded.dispose();
    result.losses.push(update.loss);
    result.left.push(alive() - before);
  }
  return result;
}

Object.assign(globalThis, { losses });
