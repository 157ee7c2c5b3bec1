import { keepLocal, seededRandom, type LocalOnly, type SeededRandom } from '@tutti/base';
import { createStrategy } from '@tutti/aggregation';
import { historyOf, type TrainingRows } from '@tutti/evaluation';
import { recommended, wholeDelta, type LocalData, type TrainingEngine } from '@tutti/model';

/** What central training takes. */
export interface CentralOptions {
  readonly engine: TrainingEngine;
  readonly train: TrainingRows;
  readonly seed: string | number;
  /** Updates of the shared model, each from one part of the people. */
  readonly steps: number;
  /** Parts that the people are dealt into; every `parts` steps are a pass over everybody. */
  readonly parts: number;
  /** Called before each person, with the share that is done; may let others have their turn, or throw to stop. */
  readonly onPerson: (share: number) => Promise<void>;
}

/** A model with every like on one machine. */
export interface CentralModel {
  /** Scores of every item for a person of the training part, by the vector they were trained with. */
  score(user: number): Promise<Float32Array>;
  readonly shared: Float32Array;
  dispose(): void;
}

/** The same model with every like on one machine: no masks, no noise, no clipping. What privacy costs is the difference. */
export async function trainCentrally(options: CentralOptions): Promise<CentralModel> {
  const { engine, train, seed, steps, parts, onPerson } = options;
  const random = seededRandom(seed).fork('central');
  const strategy = createStrategy(recommended(engine.model.config, factsOf(train)).strategy);
  const vectors = new Map<number, LocalOnly<Float32Array>>();
  let parameters = engine.model.initialShared(seededRandom(String(seed)).fork('model'));
  let state = strategy.init(parameters.length);
  for (let step = 0; step < steps; step++) {
    const part: Part = { step, users: partOf(train.users, step, parts), random };
    const meanDelta = await meanDeltaOf(options, parameters, vectors, part, (done) =>
      onPerson((step + done) / steps),
    );
    ({ state, parameters } = strategy.apply(state, parameters, { meanDelta }));
  }
  const loaded = await engine.load(parameters);
  return {
    shared: parameters,
    score: async (user) =>
      loaded.score(
        await loaded.personalize(vectors.get(user), dataOf(train, user), random.fork('rank', user)),
      ),
    dispose: () => loaded.dispose(),
  };
}

/** What defaults of a model follow from. */
export function factsOf({ items, users, values }: TrainingRows): {
  readonly items: number;
  readonly meanHistory: number;
} {
  return { items, meanHistory: values.length / users };
}

/** A step's people. */
interface Part {
  readonly step: number;
  readonly users: readonly number[];
  readonly random: SeededRandom;
}

function partOf(users: number, step: number, parts: number): number[] {
  const members: number[] = [];
  for (let user = step % parts; user < users; user += parts) members.push(user);
  return members;
}

async function meanDeltaOf(
  { engine, train }: CentralOptions,
  parameters: Float32Array,
  vectors: Map<number, LocalOnly<Float32Array>>,
  { step, users, random }: Part,
  onPerson: (share: number) => Promise<void>,
): Promise<Float32Array> {
  const loaded = await engine.load(parameters);
  const sum = new Float32Array(parameters.length);
  for (const [index, user] of users.entries()) {
    await onPerson(index / users.length);
    const data = dataOf(train, user);
    const vector = await loaded.personalize(vectors.get(user), data, random.fork('fit', step, user));
    const update = await loaded.train(vector, data, random.fork(step, user));
    const delta = wholeDelta(update, engine.model);
    vectors.set(user, update.local);
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (delta[i] as number);
  }
  loaded.dispose();
  return sum.map((value) => value / Math.max(1, users.length));
}

function dataOf(train: TrainingRows, user: number): LocalData {
  return { positives: keepLocal(historyOf(train, user)) };
}
