import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditTarget } from '@tutti/audit';
import { generateFilmShelf, type SplitDataset } from '@tutti/datasets';
import { openNodeEngine } from '@tutti/engine-simd/node';
import {
  createModel,
  decodeCheckpoint,
  defaultNoiseMultiplier,
  recommended,
  resolveModelConfig,
  type ModelFamily,
  type ModelInput,
} from '@tutti/model';
import { simulate } from '@tutti/simulation';
import { openData, type DataChoice } from '../data.ts';
import { CommandError } from '../exit-codes.ts';
import type { Screen } from '../ui/screen.ts';

/** People and films of the built-in data: enough films that some rows are moved by one person of a cohort alone. */
const PEOPLE = 300;
const FILMS = 4_000;

/** Clients of a training round: a tenth of the people, as elsewhere, but a sample of large data sets: the attacks need a model, not the best. */
const FEWEST_TRAINING = 16;
const MOST_TRAINING = 100;

/** Vectors of the models under attack, where no run says otherwise. */
const DIMENSION = 16;

/** Models under attack, and the data that they were trained on. */
export interface Targets {
  readonly data: SplitDataset;
  readonly choice: DataChoice;
  readonly targets: readonly [AuditTarget, ...AuditTarget[]];
}

/** What a fresh simulation is made with. */
export interface FreshOptions {
  readonly dataset?: string;
  readonly families: readonly [ModelFamily, ...ModelFamily[]];
  readonly rounds: number;
  readonly seed: number;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

/** Trains a model of each family for a few rounds: attacks on first weights find nothing. */
export async function freshTargets(options: FreshOptions): Promise<Targets> {
  const { dataset, seed, families, screen } = options;
  const choice: DataChoice =
    dataset === undefined ? { seed, users: PEOPLE, items: FILMS } : { dataset, seed };
  const data = await openData(choice);
  const targets: AuditTarget[] = [];
  for (const family of families) {
    const checkpoint = await trained(data, family, options);
    const clippingNorm = suited({ family, dimension: DIMENSION }, data).clippingNorm;
    targets.push(await targetOf(data, { family, dimension: DIMENSION }, checkpoint, clippingNorm));
    screen.line(`trained ${family}: ${options.rounds} rounds`);
  }
  return { data, choice, targets: targets as [AuditTarget, ...AuditTarget[]] };
}

async function trained(
  dataset: SplitDataset,
  family: ModelFamily,
  { rounds, seed, screen, signal }: FreshOptions,
): Promise<Uint8Array> {
  let checkpoint = new Uint8Array(0);
  await simulate({
    dataset,
    model: { family, dimension: DIMENSION },
    rounds,
    cohort: Math.min(MOST_TRAINING, Math.max(FEWEST_TRAINING, Math.round(dataset.users / 10))),
    protocol: 'plain',
    seed,
    signal,
    checkpointEvery: rounds,
    onProgress: ({ done, total }) =>
      screen.progress(done, total, `training ${family}, round ${done}/${total}`),
    onCheckpoint: async (_round, bytes) => void (checkpoint = bytes.slice()),
  });
  return checkpoint;
}

const factsOf = (data: SplitDataset): { items: number; meanHistory: number } => ({
  items: data.items,
  meanHistory: data.train.values.length / data.users,
});

const suited = (input: ModelInput, data: SplitDataset): ReturnType<typeof recommended> =>
  recommended(resolveModelConfig(input, factsOf(data)), factsOf(data));

async function targetOf(
  data: SplitDataset,
  input: ModelInput,
  checkpoint: Uint8Array,
  clippingNorm: number,
): Promise<AuditTarget> {
  const model = createModel(resolveModelConfig(input, factsOf(data)), data.items);
  const { engine } = await openNodeEngine({ model });
  const { shared } = decodeCheckpoint(checkpoint, model.layout);
  return { model, loaded: await engine.load(shared), shared, data, clippingNorm };
}

/** A model so small that a whole attempt takes no time. */
export async function smallTarget(seed: number): Promise<AuditTarget> {
  const data = generateFilmShelf({ seed, users: 40, items: 120 });
  const input = { family: 'mf', dimension: 2 } as const;
  const model = createModel(resolveModelConfig(input, factsOf(data)), data.items);
  const { engine } = await openNodeEngine({ model });
  const shared = Float32Array.from({ length: model.layout.length }, (_, i) => ((i % 7) - 3) / 10);
  const { clippingNorm } = suited(input, data);
  return { model, loaded: await engine.load(shared), shared, data, clippingNorm };
}

/** What `config.json` of a run holds that is needed here; see `report/run-folder.ts`. */
interface RunConfig {
  readonly options: {
    readonly dataset?: string;
    readonly users?: number;
    readonly items?: number;
    readonly seed: number;
    readonly noiseMultiplier?: number;
    readonly noise?: string;
  };
  readonly model: ModelInput;
  readonly strategy: { readonly clippingNorm: number };
  /** The noise that was found for an ε. */
  readonly privacy?: { readonly noiseMultiplier: number } | null;
}

/**
 * The last checkpoint of a folder that `tutti simulate --out` wrote, with the run's own data, model, clipping norm and noise.
 * @throws {CommandError} naming the file that is missing or wrong.
 */
export async function recordedTargets(folder: string, dataset: string | undefined): Promise<Targets> {
  const { options, model, strategy, privacy } = await runConfig(join(folder, 'config.json'));
  if (model.family === 'content')
    throw new CommandError(
      `${folder} has a content model, which this command does not attack (docs/content.md#limits says what was); audit one of mf`,
    );
  const at = dataset ?? options.dataset;
  const choice: DataChoice = {
    seed: options.seed,
    ...(at === undefined ? {} : { dataset: at }),
    ...(options.users === undefined ? {} : { users: options.users }),
    ...(options.items === undefined ? {} : { items: options.items }),
  };
  const data = await openData(choice);
  const checkpoint = await lastCheckpoint(join(folder, 'checkpoints'));
  const target = await targetOf(data, model, checkpoint, strategy.clippingNorm);
  const asked =
    options.noiseMultiplier ?? (options.noise === 'default' ? defaultNoiseMultiplier(model.family) : 0);
  const recordedNoise = privacy?.noiseMultiplier ?? asked;
  return { data, choice, targets: [{ ...target, recordedNoise }] };
}

async function runConfig(path: string): Promise<RunConfig> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CommandError(
      `${path} cannot be read; a folder that tutti simulate --out wrote is expected`,
      undefined,
      {
        cause,
      },
    );
  });
  try {
    const { options, model, strategy, privacy = null } = JSON.parse(text) as Partial<RunConfig>;
    if (options !== undefined && model !== undefined && strategy !== undefined && strategy.clippingNorm > 0)
      return { options, model, strategy, privacy };
  } catch (cause) {
    throw new CommandError(`${path} is not the config.json of a run`, undefined, { cause });
  }
  throw new CommandError(`${path} is not the config.json of a run`);
}

async function lastCheckpoint(folder: string): Promise<Uint8Array> {
  const names = await readdir(folder).catch(() => []);
  const last = names
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .at(-1);
  if (last === undefined) throw new CommandError(`${folder} holds no checkpoint`);
  return new Uint8Array(await readFile(join(folder, last)));
}
