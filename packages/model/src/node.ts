import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import { EnvironmentError } from '@tutti/base';
import type { OwnModel } from './define-model.ts';
import { fastestBackend, firstLine } from './rehearsal.ts';
import { useBackend } from './tensorflow.ts';
import type { BackendName, Model, Tensorflow } from './types.ts';

/** TensorFlow.js in Node: real TensorFlow where it is installed, else wasm, else cpu. */
export interface OpenedTensorflow {
  readonly tf: Tensorflow;
  readonly backend: BackendName;
  /** What people should know, such as that a faster backend is missing. */
  readonly notes: readonly string[];
}

/** Order in which `auto` tries the backends. */
const PREFERENCE = ['tensorflow', 'wasm', 'cpu'] as const;

/**
 * Opens one backend, once a process or thread.
 * @param options.backend one backend, or `auto` (default): tensorflow → wasm → cpu, the first that starts and tests well.
 * @param options.model with it `auto` takes the backend that trains this model fastest here, found by a rehearsal.
 * @param options.definition the app's own model, where `model` is one.
 * @throws {EnvironmentError} when the one that was asked for, or none at all, can be had.
 */
export async function openNodeTensorflow({
  backend = 'auto',
  model,
  definition,
}: { backend?: BackendName | 'auto'; model?: Model; definition?: OwnModel } = {}): Promise<OpenedTensorflow> {
  const wanted = backend === 'auto' ? PREFERENCE : [backend];
  const failures: string[] = [];
  const started: BackendName[] = [];
  let tf: Tensorflow | undefined;
  for (const name of wanted) {
    // The slowest is there for machines where nothing else starts; and without a model the first that starts will do.
    if (started.length > 0 && (model === undefined || name === 'cpu')) break;
    try {
      tf = await open(name);
      started.push(name);
    } catch (cause) {
      failures.push(`${name}: ${firstLine(cause)}`);
    }
  }
  if (backend === 'tensorflow' && started.length === 0) failures.push(HOW_TO_HAVE_NATIVE);
  const [first] = started;
  if (tf === undefined || first === undefined)
    throw new EnvironmentError(`no TensorFlow.js backend could be started (${failures.join('; ')})`);
  if (model === undefined || started.length === 1)
    return { tf, backend: first, notes: first === 'cpu' && backend === 'auto' ? [ONLY_CPU] : [] };
  const fastest = await fastestBackend({
    model,
    tf,
    backends: started,
    ...(definition === undefined ? {} : { definition }),
  });
  return { tf, backend: fastest.backend, notes: [noteOf(fastest.backend, started)] };
}

const HOW_TO_HAVE_NATIVE =
  'npm install @tensorflow/tfjs-node brings it; in a checkout of Tutti npm run tfjs-node builds it';
const ONLY_CPU = 'no faster TensorFlow.js backend could be started';

const noteOf = (taken: BackendName, tried: readonly BackendName[]): string =>
  `TensorFlow.js trains this model fastest on ${taken} (of ${tried.join(', ')})`;

async function open(name: BackendName): Promise<Tensorflow> {
  const require = createRequire(import.meta.url);
  if (name === 'tensorflow') await loadNative(require);
  const tf = await loadTensorflow();
  if (name === 'wasm') await loadWasm(require);
  await useBackend(tf, name);
  return tf;
}

async function loadTensorflow(): Promise<Tensorflow> {
  const module = (await import('@tensorflow/tfjs')) as Tensorflow & { default?: Tensorflow };
  const tf = module.default ?? module;
  // Keeps the cpu backend from advising another installation on every start.
  tf.env().set('PROD', true);
  return tf;
}

/** tfjs-node 4.22 calls two functions that Node 23 dropped, and reads its thread count when it is loaded. */
async function loadNative(require: NodeJS.Require): Promise<void> {
  const entry = require.resolve('@tensorflow/tfjs-node');
  const old = util as unknown as Record<string, unknown>;
  old['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
  old['isArray'] ??= Array.isArray;
  process.env['TF_NUM_INTRAOP_THREADS'] ??= '1';
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  await import(pathToFileURL(entry).href);
}

async function loadWasm(require: NodeJS.Require): Promise<void> {
  const folder = dirname(require.resolve('@tensorflow/tfjs-backend-wasm'));
  const wasm =
    (await import('@tensorflow/tfjs-backend-wasm')) as typeof import('@tensorflow/tfjs-backend-wasm') & {
      default?: typeof import('@tensorflow/tfjs-backend-wasm');
    };
  const { setThreadsCount, setWasmPaths } = wasm.default ?? wasm;
  setThreadsCount(1);
  setWasmPaths(`${join(folder, '/')}`);
}
