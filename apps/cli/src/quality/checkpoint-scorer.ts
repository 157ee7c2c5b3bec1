import { keepLocal, seededRandom } from '@tutti/base';
import type { TrainingEngine } from '@tutti/model';

/** A trained model that answers for anybody: it fits a vector to their items, as a device does that starts anew. */
export interface CheckpointScorer {
  scoreHistory(history: Int32Array, user: number): Promise<Float32Array>;
  dispose(): void;
}

/** Loads the shared weights once, for many people. */
export async function openCheckpointScorer(
  engine: TrainingEngine,
  shared: Float32Array,
): Promise<CheckpointScorer> {
  const loaded = await engine.load(shared);
  return {
    scoreHistory: async (history, user) =>
      loaded.score(
        await loaded.personalize(
          undefined,
          { positives: keepLocal(history) },
          seededRandom('evaluate').fork(user),
        ),
      ),
    dispose: () => loaded.dispose(),
  };
}
