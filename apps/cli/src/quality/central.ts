import { seededRandom, type LocalOnly, type SeededRandom } from '@tutti/base';
import { createStrategy } from '@tutti/aggregation';
import { ContentModel } from '@tutti/coordination';
import { historyOf, type TrainingRows } from '@tutti/evaluation';
import {
  type DataFacts,
  initialShared,
  type ItemContent,
  type LocalData,
  recommended,
  type TrainingEngine,
  wholeDelta,
} from '@tutti/model';
import { localData } from '@tutti/simulation';

/** What central training takes. */
export interface CentralOptions {
  readonly engine: TrainingEngine;
  readonly train: TrainingRows;
  readonly seed: string | number;
  /** Updates of the shared model, each from one part of the people. */
  readonly steps: number;
  /** What is said of the items: a content model is made from it. */
  readonly content: ItemContent;
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
  const server = serverOf(options);
  const vectors = new Map<number, LocalOnly<Float32Array>>();
  for (let step = 0; step < steps; step++) {
    const part: Part = { step, users: partOf(train.users, step, parts), random };
    const meanDelta = await meanDeltaOf(options, server.shared(), vectors, part, (done) =>
      onPerson((step + done) / steps),
    );
    server.step(meanDelta);
  }
  const loaded = await engine.load(server.shared());
  return {
    shared: server.shared(),
    score: async (user) =>
      loaded.score(
        await loaded.personalize(vectors.get(user), dataOf(train, user), random.fork('rank', user)),
      ),
    dispose: () => loaded.dispose(),
  };
}

/** What makes the next weights of a mean delta. */
interface Server {
  shared(): Float32Array;
  step(meanDelta: Float32Array): void;
}

/** The coordinator's part of a round, without its journal. */
function serverOf({ engine, train, seed, content }: CentralOptions): Server {
  const { model } = engine;
  const config = recommended(model.config, factsOf(train)).strategy;
  if (model.config.family === 'content')
    return contentServer({ model, strategy: config, content, seed: String(seed) });
  const strategy = createStrategy(config);
  let parameters = initialShared(model, seededRandom(String(seed)).fork('model'));
  let state = strategy.init(parameters.length);
  return {
    shared: () => parameters,
    step: (meanDelta) => void ({ state, parameters } = strategy.apply(state, parameters, { meanDelta })),
  };
}

function contentServer(options: ConstructorParameters<typeof ContentModel>[0]): Server {
  const server = new ContentModel(options);
  const rows = Uint32Array.from({ length: options.model.items }, (_, row) => row);
  const shared = server.first();
  let state = server.init();
  return {
    shared: () => shared,
    step: (meanDelta) =>
      void (state = server.stepInPlace(state, shared, { meanDelta, rows, noiseStddev: 0 })),
  };
}

/** What defaults of a model follow from. */
export function factsOf({ items, users, values, ratings }: TrainingRows): DataFacts {
  const given = (ratings ?? new Float32Array(0)).filter((rating) => !Number.isNaN(rating));
  const meanRating = given.reduce((sum, rating) => sum + rating, 0) / given.length;
  return { items, meanHistory: values.length / users, ...(given.length === 0 ? {} : { meanRating }) };
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

const dataOf = (train: TrainingRows, user: number): LocalData =>
  localData(train, user, historyOf(train, user));
