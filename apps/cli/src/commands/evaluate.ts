import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { DecodeError, keepLocal, seededRandom } from '@tutti/base';
import { evaluateBoth, itemKnn, popularity } from '@tutti/evaluation';
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
import { qualityOfMetrics, type QualityPair } from '@tutti/simulation';
import { describeData, openData } from '../data.ts';
import { engineOptions, type EngineFlags } from '../engine-options.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { wholeNumber, wholeNumbers } from '../parse.ts';
import { qualityLines } from '../ui/quality.ts';
import { openScreen } from '../ui/screen.ts';

interface EvaluateFlags extends EngineFlags {
  checkpoint: string;
  dataset?: string;
  model: ModelFamily;
  dimension?: number;
  hidden?: number[];
  config?: string;
  users?: number;
  items?: number;
  seed: number;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti evaluate --checkpoint runs/a/checkpoints/round-00050.safetensors --config runs/a/config.json
  tutti evaluate --checkpoint model.safetensors --dataset ml-100k --model mf --dimension 64 --json`;

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('a checkpoint against a data set: sampled and full ranking beside popularity and item-kNN')
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
    .addOption(
      new Option('--dimension <n>', 'length of a vector').argParser(wholeNumber(1, 512)).conflicts('config'),
    )
    .addOption(
      new Option('--hidden <n,n>', 'sizes of the hidden layers (mlp, neumf)')
        .argParser(wholeNumbers(1, 1_024))
        .conflicts('config'),
    )
    .addOption(
      new Option('--users <n>', 'people of the built-in data')
        .argParser(wholeNumber(16, 1_000_000))
        .conflicts('dataset'),
    )
    .addOption(
      new Option('--items <n>', 'items of the built-in data')
        .argParser(wholeNumber(110, 1_000_000))
        .conflicts('dataset'),
    )
    .addOption(
      new Option('--seed <n>', 'seed of the built-in data')
        .argParser(wholeNumber(0))
        .default(1)
        .conflicts('config'),
    )
    .addOption(engineOptions()[0])
    .addOption(engineOptions()[1])
    .option('--json', 'one JSON object on stdout; progress goes to stderr')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: EvaluateFlags) => runEvaluate(flags));
}

async function runEvaluate(flags: EvaluateFlags): Promise<void> {
  const screen = openScreen(process.stderr);
  const run = flags.config === undefined ? {} : await runConfig(flags.config);
  const choice = {
    seed: flags.seed,
    ...run.data,
    ...(flags.dataset === undefined ? {} : { dataset: flags.dataset }),
    ...(flags.users === undefined ? {} : { users: flags.users }),
    ...(flags.items === undefined ? {} : { items: flags.items }),
  };
  const data = await openData(choice);
  screen.line(`data: ${describeData(data, choice)}`);
  const meanHistory = data.train.values.length / data.users;
  const input = run.model ?? {
    family: flags.model,
    ...(flags.dimension === undefined ? {} : { dimension: flags.dimension }),
    ...(flags.hidden === undefined ? {} : { hidden: flags.hidden }),
  };
  const model = createModel(resolveModelConfig(input, { items: data.items, meanHistory }), data.items);
  const bytes = await readFile(flags.checkpoint).catch((cause: unknown) => {
    throw new CommandError(`${flags.checkpoint} cannot be read`, undefined, { cause });
  });
  const { shared, metadata } = checkpointOf(flags.checkpoint, new Uint8Array(bytes), model.layout);
  const { engine } = await openNodeEngine({ model, engine: flags.engine, backend: flags.backend });
  const { backend } = engine;
  const loaded = await engine.load(shared);
  const score = async (user: number): Promise<Float32Array> => {
    const positives = keepLocal(
      data.train.values.subarray(data.train.offsets[user], data.train.offsets[user + 1]),
    );
    return loaded.score(
      await loaded.personalize(undefined, { positives }, seededRandom('evaluate').fork(user)),
    );
  };
  const measure = async (
    name: string,
    scorer: (user: number) => Float32Array | Promise<Float32Array>,
  ): Promise<QualityPair> => {
    const { sampled, full } = await evaluateBoth({
      scorer,
      test: data.test,
      train: data.train,
      onPerson: (done) => screen.progress(done, data.users, `${name} ${done}/${data.users}`),
    });
    return { sampled: qualityOfMetrics(sampled), full: qualityOfMetrics(full) };
  };
  const knn = itemKnn(data.train);
  const popular = popularity(data.train);
  const final = await measure('checkpoint', score);
  const baselines = {
    popularity: await measure('popularity', (user) => popular.score(user)),
    itemKnn: await measure('item-kNN', (user) => knn.score(user)),
  };
  screen.finish();
  loaded.dispose();
  const dataset = { name: data.name, users: data.users, items: data.items, interactions: data.interactions };
  if (flags.json === true)
    process.stdout.write(
      `${JSON.stringify({ checkpoint: flags.checkpoint, metadata, model: model.config, dataset, backend, final, baselines })}\n`,
    );
  else process.stdout.write(`${qualityLines({ 'this checkpoint': final, ...baselines }).join('\n')}\n`);
}

function checkpointOf(
  path: string,
  bytes: Uint8Array,
  layout: SharedLayout,
): ReturnType<typeof decodeCheckpoint> {
  try {
    return decodeCheckpoint(bytes, layout);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new CommandError(`${path} is no checkpoint of this model: ${cause.message}`, EXIT.usage, { cause });
  }
}

/** What a run's config.json says of its model and data. */
async function runConfig(path: string): Promise<{
  model?: ModelInput;
  data?: { dataset?: string; seed?: number; users?: number; items?: number };
}> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as {
      model: ModelInput;
      options: { dataset?: string; seed?: number; users?: number; items?: number };
    };
    const { dataset, seed, users, items } = value.options;
    const data = Object.fromEntries(
      Object.entries({ dataset, seed, users, items }).filter(([, given]) => given !== undefined),
    );
    return { model: value.model, data };
  } catch (cause) {
    throw new CommandError(`${path} is not the config.json of a run`, undefined, { cause });
  }
}
