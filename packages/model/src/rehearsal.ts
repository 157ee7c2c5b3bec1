import { EnvironmentError, keepLocal, seededRandom, UsageError } from '@tutti/base';
import { initialShared } from './model.ts';
import type { OwnModel } from './define-model.ts';
import { createEngine } from './engine.ts';
import { useBackend } from './tensorflow.ts';
import type { BackendName, Model, Tensorflow, TrainingEngine } from './types.ts';

/** Items that the made-up person of a rehearsal touched. */
const HISTORY = 64;

const wallClock = (): number => performance.now();

/** Milliseconds in which `engine` trains a made-up person, the second time. */
export async function rehearse(engine: TrainingEngine, now: () => number = wallClock): Promise<number> {
  const { model } = engine;
  const loaded = await engine.load(initialShared(model, seededRandom('trial')));
  try {
    const count = Math.min(model.items, HISTORY);
    const data = {
      positives: keepLocal(Int32Array.from({ length: count }, (_, item) => item)),
      ratings: keepLocal(new Float32Array(count).fill(1)),
    };
    const local = keepLocal(new Float32Array(model.localLength));
    await loaded.train(local, data, seededRandom('trial'));
    const start = now();
    await loaded.train(local, data, seededRandom('trial'));
    return now() - start;
  } finally {
    loaded.dispose();
  }
}

/** The backend that trains a model fastest here, and why others were not taken. */
export interface FastestBackend {
  readonly backend: BackendName;
  /** Milliseconds of a {@link rehearse | rehearsal}, for each backend that started. */
  readonly milliseconds: ReadonlyMap<BackendName, number>;
  /** One line for each backend that did not start. */
  readonly failures: readonly string[];
}

/**
 * Makes the backend current that trains `model` fastest on this machine. Which one that is depends on the size of the work, not on
 * the name: native TensorFlow and GPUs win where layers are wide and batches large, wasm where they are small.
 *
 * @param options.backends registered in `tf`; each is started, patched and tested.
 * @throws {EnvironmentError} if none of them starts. @throws {UsageError} what an app's own model throws.
 */
export async function fastestBackend(options: {
  model: Model;
  tf: Tensorflow;
  backends: readonly BackendName[];
  /** The app's own model, where `model` is one. */
  definition?: OwnModel;
  now?: () => number;
}): Promise<FastestBackend> {
  const { model, tf, backends, definition, now } = options;
  const own = definition === undefined ? {} : { definition };
  const milliseconds = new Map<BackendName, number>();
  const failures: string[] = [];
  for (const backend of backends) {
    try {
      await useBackend(tf, backend);
      milliseconds.set(backend, await rehearse(await createEngine({ model, tf, backend, ...own }), now));
    } catch (cause) {
      // An app's own model that is wrong is wrong on each backend.
      if (cause instanceof UsageError) throw cause;
      failures.push(`${backend}: ${firstLine(cause)}`);
    }
  }
  const [fastest] = [...milliseconds].sort(([, a], [, b]) => a - b);
  if (fastest === undefined)
    throw new EnvironmentError(`no TensorFlow.js backend could be started (${failures.join('; ')})`);
  await useBackend(tf, fastest[0]);
  return { backend: fastest[0], milliseconds, failures };
}

/** What an error says, in one line. */
export const firstLine = (cause: unknown): string =>
  cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
