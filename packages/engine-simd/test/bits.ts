import { keepLocal, seededRandom } from '@tutti/base';
import { keptUpdate, wholeDelta, type Model } from '@tutti/model';
import { openTrainingEngine, type EngineOptions } from '../src/index.ts';
import { FAMILIES, modelOf, person } from './people.ts';

const ITEMS = 60;

/** Weights and vectors from integer arithmetic alone: nothing here may depend on a platform's Math. */
const exact = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => ((Math.imul(i + 1, 2_654_435_761) >>> 8) / 2 ** 24 - 0.5) / 2);

/** λ of matrix factorisation, and how the neural families train here: the hash is of the kernel's arithmetic, not of today's defaults. */
const SOLVING = { regularization: 0.03 };
const TRAINING = { epochs: 2, batchSize: 256, learningRate: 0.05, negatives: 4, personScale: 6 };

/** The kernel, where it is another one than the package's own. */
type Kernel = Pick<EngineOptions, 'openKernel'>;

/** Every number that the kernel computes for one person in every family, one behind the other. */
async function numbersOf(model: Model, kernel: Kernel): Promise<Float32Array[]> {
  const engine = await openTrainingEngine({ model, engine: 'simd', ...kernel });
  const loaded = await engine.load(exact(model.layout.length));
  const data = person(1, 5, 9, 20, 21, 22, 33, 59);
  const vector = await loaded.personalize(keepLocal(exact(model.localLength)), data, seededRandom('fit'));
  const update = keptUpdate(await loaded.train(vector, data, seededRandom('train')));
  const { scores } = await loaded.rank(vector, { k: 9 });
  const loss = Float32Array.of(update.loss);
  return [vector, wholeDelta(update, model), loss, await loaded.score(vector), scores];
}

/**
 * SHA-256 over those bits, in hexadecimal. It runs wherever the kernel does; README.md says where it was compared.
 */
export async function bitsOfKernel(kernel: Kernel = {}): Promise<string> {
  const models = FAMILIES.map(([, input]) =>
    modelOf(input.family === 'mf' ? { ...SOLVING, ...input } : { ...TRAINING, ...input }, ITEMS),
  );
  const parts = (await Promise.all(models.map((model) => numbersOf(model, kernel)))).flat();
  const all = Float32Array.from(parts.flatMap((part) => [...part]));
  const digest = await crypto.subtle.digest('SHA-256', all);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
