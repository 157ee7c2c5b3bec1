import { keepLocal, seededRandom } from '@tutti/base';
import { createStrategy } from '@tutti/aggregation';
import type { SplitDataset } from '@tutti/datasets';
import { hitRate, ndcg, rankHeldOut } from '@tutti/evaluation';
import { openNodeEngine } from '@tutti/engine-simd/node';
import { createModel, recommended, resolveModelConfig } from '@tutti/model';
import type { StartSettings } from './settings.ts';

/** Passes over everybody's data: the default federation's 30 rounds of 40 ask each of 240 people five times, too. */
const CENTRAL_STEPS = 5;

/** Length of the lists that are measured. */
const K = 10;

/** The same model with every like on one machine: no masks, no noise, no clipping. What privacy costs is the difference. */
export async function centralQuality(
  data: SplitDataset,
  people: number,
  settings: StartSettings,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): Promise<{ hr10: number; ndcg10: number }> {
  const facts = { items: data.items, meanHistory: (data.train.offsets[people] as number) / people };
  const model = createModel(resolveModelConfig({ family: settings.model, dimension: 16 }, facts), data.items);
  const { engine } = await openNodeEngine({ model });
  const strategy = createStrategy(recommended(model.config, facts).strategy);
  const random = seededRandom(settings.seed).fork('central');
  const own = (user: number) => ({
    positives: keepLocal(data.train.values.subarray(data.train.offsets[user], data.train.offsets[user + 1])),
  });
  const vectors = new Map<
    number,
    Awaited<ReturnType<Awaited<ReturnType<typeof engine.load>>['personalize']>>
  >();
  let parameters = model.initialShared(seededRandom(String(settings.seed)).fork('model'));
  let state = strategy.init(parameters.length);
  const batches = 6;
  for (let step = 0; step < CENTRAL_STEPS * batches; step++) {
    const loaded = await engine.load(parameters);
    const sum = new Float32Array(parameters.length);
    let members = 0;
    for (let user = step % batches; user < people; user += batches) {
      await breathe(signal);
      const vector = await loaded.personalize(vectors.get(user), own(user), random.fork('fit', step, user));
      const update = await loaded.train(vector, own(user), random.fork(step, user));
      vectors.set(user, update.local);
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (update.delta[i] as number);
      members++;
    }
    loaded.dispose();
    const meanDelta = sum.map((value) => value / members);
    ({ state, parameters } = strategy.apply(state, parameters, { meanDelta }));
    onProgress((step + 1) / (CENTRAL_STEPS * batches + batches));
  }
  const loaded = await engine.load(parameters);
  const ranks: number[] = [];
  for (let user = 0; user < people; user++) {
    await breathe(signal);
    const positive = data.test.positives[user] as number;
    if (positive < 0) continue;
    const scores = await loaded.score(
      await loaded.personalize(vectors.get(user), own(user), random.fork('rank', user)),
    );
    ranks.push(rankHeldOut({ scores, positive, negatives: data.test.negatives[user] as Int32Array }));
  }
  loaded.dispose();
  const mean = (of: (rank: number) => number): number =>
    ranks.reduce((total, rank) => total + of(rank), 0) / Math.max(1, ranks.length);
  return { hr10: mean((rank) => hitRate(rank, K)), ndcg10: mean((rank) => ndcg(rank, K)) };
}

/** Lets sockets, timers and Ctrl-C have their turn: training itself never gives one away. */
async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}
