import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { DecodeError } from '@tutti/base';
import type { PersonRanking } from '@tutti/evaluation';
import { openNodeEngine } from '@tutti/engine-simd/node';
import {
  createModel,
  decodeCheckpoint,
  resolveModelConfig,
  MODEL_FAMILIES,
  type ModelFamily,
  type ModelInput,
  type SharedLayout,
} from '@tutti/model';
import {
  openEvaluator,
  ratingErrors,
  type CheckpointEvaluator,
  type SimulationResult,
} from '@tutti/simulation';
import { describeData, openData, type DataChoice } from '../data.ts';
import { itemsHash } from '../items-hash.ts';
import { engineOptions, type EngineFlags } from '../engine-options.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { addModelOptions, modelInputOf, type ModelFlags } from '../model-options.ts';
import { checkWorkers, hostsOf, secretOption, type WorkersFlags } from '../hosts.ts';
import { redisAddress, wholeNumber } from '../parse.ts';
import { itemsOption, peopleOption } from '../built-in-options.ts';
import { canaryLines, canaryNotes, runCanaries } from '../quality/canaries.ts';
import { factsOf } from '../quality/central.ts';
import { compareReferences, reportOver } from '../quality/compare.ts';
import type { HostsOption } from '../quality/federation.ts';
import { fitNote, type Bench, type MethodReport } from '../quality/measure.ts';
import { qualityOptions } from '../quality/options.ts';
import { breather } from '../quality/progress.ts';
import type { ReferenceName } from '../quality/references.ts';
import { checkReport, writeReport } from '../report/report-file.ts';
import { qualityPage } from '../report/quality-page.ts';
import { abortOnSignals, unlessAborted } from '../signals.ts';
import { methodsLines } from '../ui/quality.ts';
import { ratingLines } from '../ui/simulation.ts';
import { openScreen, type Screen } from '../ui/screen.ts';

interface EvaluateFlags extends EngineFlags, ModelFlags, WorkersFlags {
  checkpoint: string;
  dataset?: string;
  model: ModelFamily;
  config?: string;
  users?: number;
  items?: number;
  seed: number;
  against: ReferenceName[];
  report?: string;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti evaluate --checkpoint runs/a/checkpoints/round-00050.safetensors --config runs/a/config.json
  tutti evaluate --checkpoint model.safetensors --dataset ml-100k --model mf --dimension 64 --json
  tutti evaluate --checkpoint model.safetensors --dataset ml-100k --model mf --against popularity,ials --report quality.html
  tutti evaluate --checkpoint model.safetensors --dataset ml-1m --model mf --workers redis://10.0.0.1:6379
      people are ranked for where \`tutti worker --redis redis://10.0.0.1:6379\` runs; the same figures to the last bit`;

export function evaluateCommand(): Command {
  return addModelOptions(new Command('evaluate'), 'config')
    .description('a checkpoint against a data set: sampled and full ranking beside references')
    .requiredOption('--checkpoint <file>', 'the shared model (safetensors)')
    .option('--dataset <folder>', 'data set; built-in data when left out')
    .option(
      '--config <file>',
      'config.json of the run that made the checkpoint: model and data follow from it',
    )
    .addOption(
      new Option('--model <family>', 'model family')
        .choices([...MODEL_FAMILIES])
        .default('mlp')
        .conflicts('config'),
    )
    .addOption(peopleOption())
    .addOption(itemsOption())
    .addOption(
      new Option('--seed <n>', 'seed of the built-in data')
        .argParser(wholeNumber(0))
        .default(1)
        .conflicts('config'),
    )
    .addOption(engineOptions()[0])
    .addOption(engineOptions()[1])
    .addOption(qualityOptions()[0])
    .addOption(qualityOptions()[1])
    .option(
      '--workers <address>',
      'rank for people on every `tutti worker` at this redis://…; figures do not depend on it',
      redisAddress,
    )
    .addOption(secretOption())
    .option('--json', 'one JSON object on stdout; progress goes to stderr')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: EvaluateFlags) => runEvaluate(flags));
}

async function runEvaluate(flags: EvaluateFlags): Promise<void> {
  checkWorkers(flags);
  await checkReport(flags.report);
  const signal = abortOnSignals();
  const screen = openScreen(process.stderr);
  const { hosts = {}, leave } = await hostsOf(flags, screen);
  const measuring = measureCheckpoint(flags, { screen, signal, hosts });
  const result = await unlessAborted(signal, measuring).finally(async () => {
    screen.finish();
    await leave();
  });
  const methods = { checkpoint: result.final, ...result.baselines };
  const lines = canaryLines(result.canaries);
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    if (!result.canaries.passed) for (const line of lines) screen.line(line);
  } else {
    const shown = [...methodsLines(methods), '', ...result.notes];
    process.stdout.write(`${[...shown, ...lines].join('\n')}\n`);
  }
  await writeReport(flags.report, () => evaluationPage(flags, result, methods));
}

type EvaluateResult = Awaited<ReturnType<typeof measureCheckpoint>>;

async function measureCheckpoint(
  flags: EvaluateFlags,
  { screen, signal, hosts }: { screen: Screen; signal: AbortSignal; hosts: HostsOption },
) {
  const { choice, model: input, itemsHash: trained } = await whatToMeasure(flags);
  const data = await openData(choice);
  if (trained !== undefined && trained !== itemsHash(data))
    throw new CommandError(
      `the items of ${data.name} are not those that ${flags.checkpoint} was trained with, or stand in another order: a row of the model is an item by its place in the file; bring the data set as it was`,
    );
  screen.line(`data: ${describeData(data, choice)}`);
  const bench: Bench = {
    data,
    train: { ...data.train, users: data.users, items: data.items },
    test: data.test,
    breathe: breather(signal),
  };
  const model = createModel(resolveModelConfig(input, factsOf(bench.train)), data.items);
  const bytes = await readFile(flags.checkpoint).catch((cause: unknown) => {
    throw new CommandError(`${flags.checkpoint} cannot be read`, undefined, { cause });
  });
  const { shared, metadata } = checkpointOf(flags.checkpoint, new Uint8Array(bytes), model.layout);
  const { engine } = await openNodeEngine({ model, engine: flags.engine, backend: flags.backend });
  const evaluator = await openEvaluator({
    ...{ dataset: data, fit: 'files', engine, choice: { engine: flags.engine, backend: flags.backend } },
    ...{ breathe: bench.breathe, signal, ...hosts },
  });
  const canaries = await runCanaries(bench, screen);
  const seeds = [flags.seed];
  const comparison = {
    bench,
    names: flags.against,
    seeds,
    settings: {},
    screen,
    central: {
      ...{ engine, evaluator, parts: CENTRAL_PARTS },
      steps: Number(metadata['round'] ?? 0) || CENTRAL_STEPS,
    },
  };
  let ratings: Pick<SimulationResult, 'rmse'> = {};
  const final = await reportOver(seeds, comparison, async (seed) => {
    const people = await rankCheckpoint(evaluator, shared, screen);
    ratings = ratingErrors(people, data, model.config);
    return { seed, people, newcomers: () => evaluator.newcomers(shared) };
  });
  const { reports: baselines, skipped } = await compareReferences(comparison);
  await evaluator.close();
  const { name, users, items, interactions } = data;
  return {
    checkpoint: flags.checkpoint,
    metadata,
    model: model.config,
    dataset: { name, users, items, interactions },
    backend: engine.backend,
    final,
    baselines,
    ...ratings,
    canaries,
    skipped,
    notes: [
      ...ratingLines(ratings),
      fitNote(data, 'files'),
      ...canaryNotes(canaries),
      ...skipped.map(({ reason }) => reason),
    ],
  };
}

/** Updates of the central model where the checkpoint does not say how many made it. */
const CENTRAL_STEPS = 50;

/** A tenth of the people a step, as a federation's cohort is unless another is asked for. */
const CENTRAL_PARTS = 10;

/** Data and model: from the flags, or from the run that made the checkpoint. */
async function whatToMeasure(
  flags: EvaluateFlags,
): Promise<{ choice: DataChoice; model: ModelInput; itemsHash?: string | undefined }> {
  const { dataset, users, items } = flags;
  const run: RunConfig = flags.config === undefined ? {} : await runConfig(flags.config);
  const choice = { seed: flags.seed, ...run.data, ...given({ dataset, users, items }) };
  const model = run.model ?? modelInputOf(flags.model, flags);
  return { choice, model, itemsHash: run.itemsHash ?? (await itemsHashBeside(flags.checkpoint)) };
}

/** What the run says of its items whose folder the checkpoint stands in; nothing where there is none. */
async function itemsHashBeside(checkpoint: string): Promise<string | undefined> {
  const run = await runConfig(join(dirname(checkpoint), '..', 'config.json')).catch((): RunConfig => ({}));
  return run.itemsHash;
}

/** Only what is there. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function rankCheckpoint(
  evaluator: CheckpointEvaluator,
  shared: Float32Array,
  screen: Screen,
): Promise<PersonRanking[]> {
  const doing = 'ranking with the checkpoint';
  screen.step(doing);
  return evaluator.rank(shared, { part: 'test', onProgress: (share) => screen.progress(share, 1, doing) });
}

function evaluationPage(
  flags: EvaluateFlags,
  { dataset, checkpoint, model, canaries, notes }: EvaluateResult,
  methods: Readonly<Record<string, MethodReport>>,
): string {
  return qualityPage({
    title: `Tutti quality: ${dataset.name}`,
    subtitle: `${dataset.users} people, ${dataset.items} items, ${dataset.interactions} interactions · ${checkpoint}`,
    methods,
    canaries,
    notes,
    config: { options: flags, model },
  });
}

/** Products and squares of weights up to this stay far within float32 and float64. */
const LARGEST_WEIGHT = 1e9;

function checkpointOf(
  path: string,
  bytes: Uint8Array,
  layout: SharedLayout,
): ReturnType<typeof decodeCheckpoint> {
  try {
    const checkpoint = decodeCheckpoint(bytes, layout);
    const beyond = checkpoint.shared.find((weight) => Math.abs(weight) > LARGEST_WEIGHT);
    if (beyond === undefined) return checkpoint;
    throw new CommandError(
      `${path} holds a weight of ${beyond.toPrecision(2)}; with any beyond ${LARGEST_WEIGHT} scores come to no number`,
    );
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    const hint =
      'say which model and data it is of: --config FILE (config.json of its run), or --model, --dimension, --hidden and --dataset';
    throw new CommandError(`${path} is no checkpoint of this model: ${cause.message}; ${hint}`, EXIT.usage, {
      cause,
    });
  }
}

/** What a run's config.json says of its model and data. */
interface RunConfig {
  readonly model?: ModelInput;
  readonly data?: { dataset?: string; seed?: number; users?: number; items?: number };
  readonly itemsHash?: string | undefined;
}

async function runConfig(path: string): Promise<RunConfig> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as {
      model: ModelInput;
      options: { dataset?: string; seed?: number; users?: number; items?: number };
      dataset?: { itemsHash?: string };
    };
    const { dataset, seed, users, items } = value.options;
    const data = Object.fromEntries(
      Object.entries({ dataset, seed, users, items }).filter(([, given]) => given !== undefined),
    );
    return { model: value.model, data, itemsHash: value.dataset?.itemsHash };
  } catch (cause) {
    throw new CommandError(`${path} is not the config.json of a run`, undefined, { cause });
  }
}
