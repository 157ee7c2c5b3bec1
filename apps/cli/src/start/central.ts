import { openNodeEngine } from '@tutti/engine-simd/node';
import type { SplitDataset } from '@tutti/datasets';
import { bothMetricsOf, rankPeople } from '@tutti/evaluation';
import { createModel, resolveModelConfig } from '@tutti/model';
import { factsOf, trainCentrally } from '../quality/central.ts';
import { breather } from '../quality/progress.ts';
import type { StartSettings } from './settings.ts';

/** Passes over everybody's data: the default federation's 30 rounds of 40 ask each of 240 people five times, too. */
const CENTRAL_STEPS = 5;

/** Parts of a pass. */
const PARTS = 6;

/** Quality of the same model trained centrally, on the first `people` of the data. */
export async function centralQuality(
  data: SplitDataset,
  people: number,
  settings: StartSettings,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): Promise<{ hr10: number; ndcg10: number }> {
  const { items } = data;
  const offsets = data.train.offsets.subarray(0, people + 1);
  const train = { users: people, items, offsets, values: data.train.values.subarray(0, offsets[people]) };
  const config = resolveModelConfig({ family: settings.model, dimension: 16 }, factsOf(train));
  const { engine } = await openNodeEngine({ model: createModel(config, items) });
  const breathe = breather(signal);
  const steps = CENTRAL_STEPS * PARTS;
  const model = await trainCentrally({
    engine,
    train,
    content: data.catalogue,
    seed: settings.seed,
    steps,
    parts: PARTS,
    onPerson: async (share) => {
      await breathe();
      onProgress((share * steps) / (steps + PARTS));
    },
  });
  const users = Int32Array.from({ length: people }, (_, user) => user);
  const ranked = await rankPeople({
    scorer: (user) => model.score(user),
    train,
    test: data.test,
    users,
    onPerson: breathe,
  });
  model.dispose();
  const { hr, ndcg } = bothMetricsOf(ranked, 10).sampled;
  return { hr10: hr, ndcg10: ndcg };
}
