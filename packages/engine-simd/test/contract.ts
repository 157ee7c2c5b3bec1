import { keepLocal, l2Norm, seededRandom } from '@tutti/base';
import { keptUpdate, wholeDelta, type Model, type TrainingEngine } from '@tutti/model';
import { openTrainingEngine } from '../src/engine.ts';
import { ask, distance, FAMILIES, modelOf, person, weightsOf, type Told } from './people.ts';

/** One promise that every engine keeps. It throws what is not as promised, so that it runs in Node and in a page alike. */
export interface Promised {
  readonly name: string;
  check(): Promise<void>;
}

/** An engine that is held to the contract. */
export interface Candidate {
  open(model: Model): Promise<TrainingEngine>;
  /** Largest distance from plain TypeScript of any number, after a few dozen steps on numbers around 1. */
  readonly rounding: number;
  /** Tensors and buffers alive; 0 for engines that have none. */
  readonly alive: () => number;
  /** Which families are tried; all of them, when left out. */
  readonly families?: typeof FAMILIES;
}

const ITEMS = 60;
const history = person(1, 5, 9, 20, 21, 22, 33, 59);
const everything = person(...Array.from({ length: ITEMS }, (_, item) => item));

/** What every engine promises, whichever backend runs it: the numbers of plain TypeScript, no leaks, an answer at every edge. */
export function contract(candidate: Candidate): Promised[] {
  return [
    ...(candidate.families ?? FAMILIES).flatMap(([name, input]) => {
      const model = (items = ITEMS): Model => modelOf(input, items);
      return [
        {
          name: `${name}: the losses, weights, vectors, scores and lists of plain TypeScript`,
          check: () => agrees(candidate, model(), history),
        },
        {
          name: `${name}: the same answer twice, and nothing of its arguments changed`,
          check: () => repeats(candidate, model()),
        },
        { name: `${name}: leaves no tensor behind`, check: () => leavesNothing(candidate, model()) },
        {
          name: `${name}: an answer for nothing, one item, everything, and a catalogue of one`,
          check: async () => {
            for (const data of [person(), person(0), everything]) await agrees(candidate, model(), data);
            await agrees(candidate, model(1), person(0), false);
          },
        },
        {
          name: `${name}: refuses items outside the catalogue without naming them, and leaves no tensor then`,
          check: () => refuses(candidate, model()),
        },
        { name: `${name}: lists as long as there are items`, check: () => lists(candidate, model()) },
      ];
    }),
    { name: 'equal scores stand in the order of the catalogue', check: () => ordersEquals(candidate) },
  ];
}

function ensure(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

async function told(engine: TrainingEngine, data: typeof history, whole: boolean): Promise<Told> {
  const loaded = await engine.load(weightsOf(engine.model));
  try {
    return whole ? await ask(loaded, data) : await askOneItem(loaded, data);
  } finally {
    loaded.dispose();
  }
}

async function askOneItem(
  loaded: Awaited<ReturnType<TrainingEngine['load']>>,
  data: typeof history,
): Promise<Told> {
  const vector = await loaded.personalize(undefined, data, seededRandom('fit'));
  const update = keptUpdate(await loaded.train(vector, data, seededRandom('train')));
  const fresh = keptUpdate(await loaded.train(undefined, data, seededRandom('fresh')));
  const scores = await loaded.score(vector);
  return { vector, update, fresh, scores, some: scores, ranking: await loaded.rank(vector, { k: 3 }) };
}

async function agrees(
  { open, rounding }: Candidate,
  model: Model,
  data: typeof history,
  whole = true,
): Promise<void> {
  const own = await told(await open(model), data, whole);
  const plain = await told(await openTrainingEngine({ model, engine: 'ts' }), data, whole);
  const near = (what: string, a: Float32Array, b: Float32Array): void =>
    ensure(distance(a, b) <= rounding, `${what}: ${distance(a, b)} apart, ${rounding} are allowed`);
  near('vector', own.vector, plain.vector);
  for (const name of ['update', 'fresh'] as const) {
    near(`${name}: delta`, wholeDelta(own[name], model), wholeDelta(plain[name], model));
    near(`${name}: loss`, Float32Array.of(own[name].loss), Float32Array.of(plain[name].loss));
    const { norm, delta } = own[name];
    ensure(norm === undefined || norm === l2Norm(delta), `${name}: a norm that is not the delta’s`);
    ensure(own[name].examples === plain[name].examples, `${name}: another number of examples`);
    ensure(same(own[name].touchedRows, plain[name].touchedRows), `${name}: other rows touched`);
  }
  near('scores', own.scores, plain.scores);
  near('scores of some', own.some, plain.some);
  near('scores of the list', own.ranking.scores, plain.ranking.scores);
  ensure(own.ranking.items.length === plain.ranking.items.length, 'a list of another length');
}

async function repeats({ open }: Candidate, model: Model): Promise<void> {
  const shared = weightsOf(model);
  const loaded = await (await open(model)).load(shared);
  const first = await ask(loaded, history);
  const kept = first.vector.slice();
  const again = await ask(loaded, history);
  loaded.dispose();
  ensure(same(again, first), 'the second answer is another one');
  ensure(same(first.vector, kept), 'the vector was changed');
  ensure(same(shared, weightsOf(model)), 'the weights were changed');
  ensure(same([...history.positives], [1, 5, 9, 20, 21, 22, 33, 59]), 'the history was changed');
}

async function leavesNothing({ open, alive }: Candidate, model: Model): Promise<void> {
  const engine = await open(model);
  // The first time fills what a backend keeps for good.
  (await engine.load(weightsOf(model))).dispose();
  const before = alive();
  const loaded = await engine.load(weightsOf(model));
  await ask(loaded, history);
  const count = alive();
  for (let i = 0; i < 3; i++) await ask(loaded, history);
  ensure(alive() === count, `${alive() - count} more alive after three people`);
  loaded.dispose();
  ensure(alive() === before, `${alive() - before} more alive after all`);
}

async function refuses({ open, alive }: Candidate, model: Model): Promise<void> {
  const loaded = await (await open(model)).load(weightsOf(model));
  const vector = await loaded.personalize(undefined, history, seededRandom(1));
  const before = alive();
  for (const item of [-1, ITEMS, 2 ** 31 - 1]) {
    const attempts = [
      () => loaded.train(vector, person(item), seededRandom(1)),
      () => loaded.personalize(undefined, person(item), seededRandom(1)),
      () => loaded.score(vector, Int32Array.of(item)),
      () => loaded.rank(vector, { k: 1, exclude: keepLocal(Int32Array.of(item)) }),
    ];
    for (const [index, attempt] of attempts.entries()) {
      const said = await attempt().then(
        () => 'no refusal',
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      ensure(said === `an item outside the catalogue of ${ITEMS} items`, `attempt ${index}: ${said}`);
    }
  }
  ensure(alive() === before, `${alive() - before} more alive after refusals`);
  loaded.dispose();
}

async function lists({ open }: Candidate, model: Model): Promise<void> {
  const loaded = await (await open(model)).load(weightsOf(model));
  const vector = await loaded.personalize(undefined, history, seededRandom(1));
  for (const [k, expected] of [
    [0, 0],
    [7, 7],
    [1_000, ITEMS - history.positives.length],
  ] as const) {
    const { items } = await loaded.rank(vector, { k, exclude: history.positives });
    ensure(items.length === expected, `k ${k}: ${items.length} items, ${expected} are expected`);
    ensure(!items.some((item) => history.positives.includes(item)), `k ${k}: an item that was left out`);
  }
  loaded.dispose();
}

async function ordersEquals({ open }: Candidate): Promise<void> {
  const model = modelOf({ family: 'gmf', dimension: 4 }, 100);
  const loaded = await (await open(model)).load(new Float32Array(model.layout.length));
  const flat = keepLocal(new Float32Array(4));
  const { items } = await loaded.rank(flat, { k: 4, exclude: keepLocal(Int32Array.of(1)) });
  loaded.dispose();
  ensure(same([...items], [0, 2, 3, 4]), `the order is ${items.join(', ')}`);
}
