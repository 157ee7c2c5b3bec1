import { openNodeEngine } from '@tutti/engine-simd/node';
import type { PersonRanking } from '@tutti/evaluation';
import { createModel, decodeCheckpoint, type LoadedModel } from '@tutti/model';
import { trainingRows } from '../population.ts';
import type { EvaluationRequest, EvaluationSetup } from '../thread.ts';
import { checkpointScorer } from './checkpoint-scorer.ts';
import { measurePeople } from './measure-people.ts';

/** A thread that ranks for people with checkpoints of one model. */
export interface EvaluationHost {
  readonly backend: string;
  evaluate(request: EvaluationRequest): Promise<PersonRanking[]>;
}

/** Opens an engine; the checkpoint that came last stays loaded. */
export async function openEvaluationHost({
  model: config,
  items,
  ...choice
}: EvaluationSetup): Promise<EvaluationHost> {
  const model = createModel(config, items);
  const { engine } = await openNodeEngine({ model, ...choice, oneAfterAnother: true });
  let loaded: { hash: string; model: LoadedModel } | undefined;
  return {
    backend: engine.backend,
    async evaluate({ hash, checkpoint, ...task }) {
      if (loaded?.hash !== hash) {
        loaded?.model.dispose();
        loaded = undefined;
        loaded = { hash, model: await engine.load(decodeCheckpoint(checkpoint, model.layout).shared) };
      }
      return measurePeople(task, checkpointScorer(loaded.model, trainingRows(task.population)));
    },
  };
}
