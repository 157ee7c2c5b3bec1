import { keepLocal, seededRandom } from '@tutti/base';
import { ratingsOf, type TrainingRows } from '@tutti/evaluation';
import type { LoadedModel, LocalData, TrainingEngine } from '@tutti/model';

/** A trained model that answers for anybody: it fits a vector to their items, as a device does that starts anew. */
export interface CheckpointScorer {
  scoreHistory(history: Int32Array, user: number): Promise<Float32Array>;
  dispose(): void;
}

/** Some of a person's items, with what they gave them where that is known. */
export function localData(train: TrainingRows, user: number, history: Int32Array): LocalData {
  const ratings = ratingsOf(train, user, history);
  return { positives: keepLocal(history), ...(ratings === undefined ? {} : { ratings: keepLocal(ratings) }) };
}

/** Answers with a model that is loaded already. @param train who rated what, for models of ratings. */
export const checkpointScorer = (
  loaded: LoadedModel,
  train: TrainingRows,
): Pick<CheckpointScorer, 'scoreHistory'> => ({
  scoreHistory: async (history, user) =>
    loaded.score(
      await loaded.personalize(
        undefined,
        localData(train, user, history),
        seededRandom('evaluate').fork(user),
      ),
    ),
});

/**
 * Loads the shared weights once, for many people.
 * @param train who rated what, for models of ratings.
 */
export async function openCheckpointScorer(
  engine: TrainingEngine,
  shared: Float32Array,
  train: TrainingRows,
): Promise<CheckpointScorer> {
  const loaded = await engine.load(shared);
  return { ...checkpointScorer(loaded, train), dispose: () => loaded.dispose() };
}
