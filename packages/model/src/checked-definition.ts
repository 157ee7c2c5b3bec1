import { keepLocal, messageOf, seededRandom, UsageError } from '@tutti/base';
import type { OwnModel, OwnTensorValue } from './define-model.ts';
import { initialShared } from './model.ts';
import type { TrainingEngine } from './types.ts';

/**
 * The same model, whose code is held to its word: what its functions throw, and what they give that is no tensor of the right shape,
 * is a {@link UsageError} that names the model and the function.
 */
export function checkedDefinition(definition: OwnModel): OwnModel {
  const { name, version } = definition.config;
  const check = (
    what: 'score' | 'loss',
    wanted: (shape: readonly number[]) => string | undefined,
    call: () => unknown,
  ): OwnTensorValue => {
    const given = attempt(`model ${name} ${version}, ${what}`, call);
    if (!isTensor(given))
      throw new UsageError(`model ${name} ${version}: ${what} gave ${kindOf(given)}; a tensor is needed`);
    const needed = wanted(given.shape);
    if (needed === undefined) return given;
    throw new UsageError(
      `model ${name} ${version}: ${what} gave a tensor of [${given.shape.join(', ')}]; ${needed} is needed`,
    );
  };
  return {
    ...definition,
    score: (tf, input) =>
      check(
        'score',
        (shape) =>
          String(shape) === String(input.items.shape)
            ? undefined
            : `[B, C], here [${input.items.shape.join(', ')}],`,
        () => definition.score(tf, input),
      ),
    loss: (tf, input) =>
      check(
        'loss',
        (shape) => (shape.every((size) => size === 1) ? undefined : 'one number (tf.mean of what there is)'),
        () => definition.loss(tf, input),
      ),
  };
}

function attempt<Given>(what: string, call: () => Given): Given {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${what}: ${messageOf(cause)}`, { cause });
  }
}

const isTensor = (value: unknown): value is OwnTensorValue =>
  typeof value === 'object' &&
  value !== null &&
  'shape' in value &&
  Array.isArray(value.shape) &&
  'dataId' in value;

function kindOf(value: unknown): string {
  if (value instanceof Promise) return 'a promise (it must not be async)';
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

/** Items that the made-up person touched: enough for a window and a choice, and fewer than any catalogue worth a model has. */
const HISTORY = 8;

/**
 * Has a made-up person train an app's own model and rank with it once, so that what its code does wrong is known before the first round.
 * @throws {UsageError} what {@link checkedDefinition} found, what TensorFlow.js says of it, or that something is no finite number.
 */
export async function rehearseDefinition(engine: TrainingEngine): Promise<void> {
  const { config } = engine.model;
  const name = config.family === 'own' ? `model ${config.name} ${config.version}` : `model ${config.family}`;
  try {
    const made = await trainMadeUpPerson(engine);
    for (const [what, numbers] of Object.entries(made))
      if (!numbers.every(Number.isFinite))
        throw new UsageError(
          `${name}: ${what} gave something that is no finite number for a made-up person with ${HISTORY} items`,
        );
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    // Such as a loss that depends on nothing that is trained.
    throw new UsageError(`${name} cannot be trained: ${messageOf(cause)}`, { cause });
  }
}

/** What each step gave, the first one first: what follows from a wrong one is wrong too. */
async function trainMadeUpPerson({
  model,
  load,
}: TrainingEngine): Promise<Record<'score' | 'loss' | 'training', Numbers>> {
  const loaded = await load(initialShared(model, seededRandom('rehearsal')));
  try {
    const count = Math.min(model.items, HISTORY);
    const positives = keepLocal(Int32Array.from({ length: count }, (_, item) => item));
    const score = await loaded.score(keepLocal(new Float32Array(model.localLength)));
    const { loss, delta } = await loaded.train(undefined, { positives }, seededRandom('rehearsal'));
    return { score, loss: [loss], training: delta };
  } finally {
    loaded.dispose();
  }
}

/** What can be looked at number by number. */
interface Numbers {
  every(fits: (value: number) => boolean): boolean;
}
