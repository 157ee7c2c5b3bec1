import { keepLocal, type LocalOnly } from '@tutti/base';
import { withCheckedItems } from './check-items.ts';
import { openLocalSolve } from './local-solve.ts';
import { bestOf } from './ranking.ts';
import type {
  BackendName,
  FactorizationConfig,
  LoadedModel,
  LocalData,
  LocalUpdate,
  Model,
  Tensorflow,
  TrainingEngine,
} from './types.ts';

/**
 * Implicit matrix factorisation, federated: the device solves its own vector w in closed form from the item table H, and
 * its delta is minus half the gradient of its own loss, c ⊗ w with c = a0·s + 1[i ∈ I_u]·(s − 1), s = H·w.
 * The pull λ·a0·h of each row is the server's (the strategy's weightDecay).
 *
 * Of a slice, H is the slice's rows, and the delta has no part for rows that are not there.
 *
 * @see Hu, Koren, Volinsky, Collaborative filtering for implicit feedback datasets, ICDM 2008; and
 *   Ammad-ud-din et al., Federated collaborative filtering, 2019.
 */
export function createMfEngine(
  model: Model,
  config: FactorizationConfig,
  tf: Tensorflow,
  backend: BackendName,
): TrainingEngine {
  return {
    model,
    engine: 'tfjs',
    backend,
    async load(shared, whole = { items: model.items }) {
      const table = tf.tensor2d(shared, [model.items, config.dimension]);
      const solve = await openLocalSolve(tf, table, config, whole);
      return loadedMf(model, config, tf, table, async (positives) => keepLocal(await solve(positives)));
    },
  };
}

type Matrix = ReturnType<Tensorflow['tensor2d']>;

function loadedMf(
  model: Model,
  config: FactorizationConfig,
  tf: Tensorflow,
  table: Matrix,
  solve: (positives: Int32Array) => Promise<LocalOnly<Float32Array>>,
): LoadedModel {
  const { dimension: d, unobservedWeight: a0 } = config;

  async function scores(local: Float32Array): Promise<Float32Array> {
    const product = tf.tidy(() => tf.matMul(table, tf.tensor2d(local, [d, 1])));
    const values = (await product.data()) as Float32Array;
    product.dispose();
    return values;
  }

  return withCheckedItems(model.items, {
    async train(local, { positives }: LocalData): Promise<LocalUpdate> {
      const vector = local ?? (await solve(positives));
      const residual = await scores(vector);
      let loss = 0;
      for (let i = 0; i < residual.length; i++) {
        const s = residual[i] as number;
        loss += a0 * s * s;
        residual[i] = a0 * s;
      }
      for (const item of positives) {
        const s = a0 === 0 ? 0 : (residual[item] as number) / a0;
        loss += (s - 1) * (s - 1);
        residual[item] = (residual[item] as number) + s - 1;
      }
      const delta = tf.tidy(() =>
        tf.neg(tf.matMul(tf.tensor2d(residual, [model.items, 1]), tf.tensor2d(vector, [1, d]))),
      );
      const values = (await delta.data()) as Float32Array;
      delta.dispose();
      return {
        delta: values,
        local: vector,
        loss: loss / Math.max(1, positives.length + a0 * model.items),
        examples: positives.length,
        touchedRows: positives,
      };
    },
    personalize: (_local, { positives }) => solve(positives),
    score: async (local, items) => {
      const all = await scores(local);
      return keepLocal(items === undefined ? all : Float32Array.from(items, (item) => all[item] as number));
    },
    rank: async (local, options) => keepLocal(bestOf(await scores(local), options)),
    dispose: () => table.dispose(),
  });
}
