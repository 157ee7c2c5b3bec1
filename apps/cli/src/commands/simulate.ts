import { Command, Option } from 'commander';
import { COMBINATIONS, STRATEGY_NAMES, type Combination, type StrategyConfig } from '@tutti/aggregation';
import { defaultNoiseMultiplier, MODEL_FAMILIES, type ModelFamily } from '@tutti/model';
import type { SplitDataset } from '@tutti/datasets';
import type { WordBits } from '@tutti/secure-aggregation';
import {
  FITS,
  MECHANISMS,
  type RoundReport,
  simulate,
  tunedOptions,
  type Fit,
  type Mechanism,
  type SimulationOptions,
  type SimulationResult,
} from '@tutti/simulation';
import { checkWorkers, hostsOf, secretOption } from '../hosts.ts';
import { describeData, openData } from '../data.ts';
import { itemsHash } from '../items-hash.ts';
import { engineOptions, type EngineFlags } from '../engine-options.ts';
import { CommandError } from '../exit-codes.ts';
import {
  cohortSize,
  realNumber,
  sliceRows,
  threadsOrRedis,
  trackerAddress,
  wholeNumber,
  wordBits,
} from '../parse.ts';
import { itemsOption, peopleOption } from '../built-in-options.ts';
import { addModelOptions, modelInputOf, type ModelFlags } from '../model-options.ts';
import { openRunFolder, type RunFolder } from '../report/run-folder.ts';
import { roundColumns, roundCells } from '../ui/rounds.ts';
import { openScreen, type Screen } from '../ui/screen.ts';
import { resultLines, type Simulated } from '../ui/simulation.ts';
import { cellsLine, headingLine } from '../ui/table.ts';
import { abortOnSignals, unlessAborted } from '../signals.ts';
import { openTrackers } from '../tracking/run.ts';
import { trackedSimulation } from '../tracking/simulation.ts';
import { sweep, tuningOptions, type TuneFlags } from '../tuning.ts';

/** The options of `tutti simulate` as commander hands them over. */
interface SimulateFlags extends EngineFlags, ModelFlags, TuneFlags {
  dataset?: string;
  users?: number;
  items?: number;
  model: ModelFamily;
  rounds?: number;
  cohort?: { count: number } | { share: number };
  strategy?: StrategyConfig['name'];
  learningRate?: number;
  protocol: 'plain' | 'secure';
  seed: number;
  fit: Fit;
  groupSize?: number;
  mode?: 'semi-honest' | 'active';
  combine?: Combination;
  wordBits: WordBits | 'auto';
  clip?: number;
  sliceRows?: number | 'auto' | 'off';
  noiseMultiplier?: number;
  noise: 'none' | 'default';
  epsilon?: number;
  delta?: number;
  against?: 'coordinator' | 'readers';
  mechanism?: Mechanism;
  adaptiveClip?: number;
  poisson?: boolean;
  participations?: number;
  separation?: number;
  bands?: number;
  stepsPerTree?: number;
  colluders?: number;
  metrics?: boolean;
  dropout?: number;
  workers?: number | string;
  secretFile?: string;
  out?: string;
  checkpointEvery?: number;
  track?: readonly string[];
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti simulate                                                     the built-in data, secure, embedding-MLP
  tutti simulate --model mf --rounds 40 --out runs/a                 and a report with curves in runs/a/report.html
  tutti simulate --dataset ml-1m --model mf --rounds 150 --cohort 10% --protocol plain --json
  tutti simulate --dataset ml-1m --model mf --epsilon 8 --delta 1e-5 --protocol plain
      enough noise for ε = 8, over 30 rounds of everybody
  tutti simulate --model mf --mechanism banded --strategy fedavgm --epsilon 8 --rounds 200 --participations 20 --separation 10
      noise of a trusted coordinator that cancels over the rounds
  tutti simulate --dataset ml-100k --model mf --rounds 150 --tune    sweeps around the defaults first
  tutti simulate --dataset ratings.csv --dropout 0.05 --seed 7       5 % of the clients fall silent each round
  tutti simulate --dataset ml-1m --model mf --workers redis://10.0.0.1:6379
      on the hosts where \`tutti worker --redis redis://10.0.0.1:6379\` runs; the same figures to the last bit`;

export function simulateCommand(): Command {
  return addModelOptions(dataOptions(new Command('simulate')))
    .description(
      'train with many simulated clients in one process; the round code is that of the real coordinator',
    )
    .option(
      '--proximal <µ>',
      'pull of the clients’ steps back to the round’s model (not mf; 0.1 with fedprox)',
      realNumber(0, 10),
    )
    .option(
      '--rounds <n>',
      'updates of the shared model (default: 50; 30 with --epsilon)',
      wholeNumber(1, 1_000_000),
    )
    .option(
      '--cohort <n|p%>',
      'clients a round, as a number or a part of the population (default: 10%; 100% with --epsilon)',
      cohortSize,
    )
    .addOption(
      new Option('--strategy <name>', 'how the mean update becomes the next model').choices([
        ...STRATEGY_NAMES,
      ]),
    )
    .option('--learning-rate <x>', 'server learning rate', realNumber(1e-9, 1e3))
    .addOption(
      new Option('--protocol <name>', 'masked, or the same integer pipeline without masks')
        .choices(['secure', 'plain'])
        .default('secure'),
    )
    .option('--seed <n>', 'same seed and options, same figures', wholeNumber(0), 1)
    .addOption(new Option('--fit <name>', 'what clients train on').choices([...FITS]).default('files'))
    .option('--group-size <n>', 'clients that mask together at most', wholeNumber(2, 1_024))
    .addOption(
      new Option(
        '--mode <mode>',
        'whom the masks hold against: a curious coordinator, or one that lies',
      ).choices(['semi-honest', 'active']),
    )
    .addOption(
      new Option('--combine <name>', 'how the groups of a round become one update').choices(COMBINATIONS),
    )
    .option(
      '--word-bits <n>',
      'bits of a word on the wire: 24, 32, or auto (24 where there is noise and they cost nothing)',
      wordBits,
      'auto' as const,
    )
    .option(
      '--slice-rows <n>',
      'how a wide catalogue travels: in public slices of n rows, auto (above 16,384 items), or off',
      sliceRows,
    )
    .option('--clip <x>', 'L2 norm that each model delta is scaled down to', realNumber(1e-9, 1e9))
    .option(
      '--noise-multiplier <z>',
      'standard deviation of the noise of the sum, over the clipping norm',
      realNumber(0, 1_000),
    )
    .addOption(
      new Option(
        '--noise <name>',
        'the product’s default noise (3 % of the clipping norm, 8 % for gmf and mlp, 4 % for neumf), or none',
      )
        .choices(['none', 'default'])
        .default('none')
        .conflicts('noiseMultiplier'),
    )
    .addOption(
      new Option('--epsilon <e>', 'enough noise for this ε over all rounds, for the view of --against')
        .argParser(realNumber(1e-3, 1e3))
        .conflicts(['noiseMultiplier', 'noise']),
    )
    .option('--delta <d>', 'δ at which ε is counted (default: 1e-5 with --epsilon)', realNumber(1e-15, 0.5))
    .addOption(
      new Option(
        '--against <view>',
        'whose view --epsilon is for (default: coordinator, where it adds no noise)',
      ).choices(['coordinator', 'readers']),
    )
    .addOption(
      new Option(
        '--mechanism <name>',
        'how noise is added: by the devices, or by a trusted coordinator (default: skellam)',
      ).choices(MECHANISMS),
    )
    .option(
      '--adaptive-clip <γ>',
      'let the clipping norm follow this quantile of the updates',
      realNumber(0.01, 0.99),
    )
    .option('--poisson', 'ask each person by a coin of their own, with --cohort of them on average')
    .option('--participations <k>', 'most rounds that one person takes part in', wholeNumber(1, 1_000_000))
    .option(
      '--separation <n>',
      'fewest rounds from one part of a person to the next',
      wholeNumber(1, 1_000_000),
    )
    .option(
      '--steps-per-tree <n>',
      'tree, banded: rounds of one run of the noise (default: all)',
      wholeNumber(1, 1_000_000),
    )
    .option('--bands <n>', 'banded: bands of the matrix (default: the best)', wholeNumber(1, 128))
    .option(
      '--colluders <n>',
      'members of a group that are assumed to add no noise',
      wholeNumber(0, 1_000_000),
    )
    .option('--metrics', 'loss and ranking lanes also where ε is counted; they cost a part of it')
    .option('--dropout <p>', 'chance that a selected client falls silent', realNumber(0, 0.9))
    .option(
      '--workers <n|address>',
      'threads here (default: as many as cores), or redis://…: those of every `tutti worker` there; figures do not depend on it',
      threadsOrRedis,
    )
    .addOption(secretOption())
    .addOption(engineOptions()[0])
    .addOption(engineOptions()[1])
    .addOption(tuningOptions()[0])
    .addOption(tuningOptions()[1])
    .option('--out <dir>', 'write config.json, metrics.jsonl, checkpoints and report.html there')
    .option('--checkpoint-every <n>', 'keep a checkpoint every n rounds (with --out)', wholeNumber(1))
    .option(
      '--track <address>',
      'keep curves: jsonl:FOLDER, tensorboard:FOLDER or mlflow:URL; may be repeated',
      trackerAddress,
    )
    .option('--json', 'one JSON object on stdout; progress goes to stderr')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: SimulateFlags) => {
      const screen = openScreen(process.stderr);
      const result = await runSimulation(flags, screen);
      if (flags.json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
      else for (const line of resultLines(result, flags.out)) process.stdout.write(`${line}\n`);
    });
}

/** Which data, and which family. */
function dataOptions(command: Command): Command {
  return command
    .option(
      '--dataset <folder>',
      'ratings to train on (MovieLens, NCF files or a CSV with a header); built-in data when left out',
    )
    .addOption(peopleOption())
    .addOption(itemsOption())
    .addOption(new Option('--model <family>', 'model family').choices([...MODEL_FAMILIES]).default('mlp'));
}

async function runSimulation(flags: SimulateFlags, screen: Screen): Promise<Simulated> {
  if (flags.checkpointEvery !== undefined && flags.out === undefined)
    throw new CommandError('--checkpoint-every keeps checkpoints in the folder of --out, which is not given');
  checkWorkers(flags);
  if (flags.tuneRounds !== undefined && flags.tune !== true)
    throw new CommandError('--tune-rounds is for --tune, which is not given');
  const signal = abortOnSignals();
  screen.line('Tutti · a simulation on this machine');
  const dataset = await openData(flags);
  screen.line(`data: ${describeData(dataset, flags)}`);
  const folder = flags.out === undefined ? undefined : await openRunFolder(flags.out);
  const tracked = await openTrackers(flags.track ?? [], trackedSimulation(flags, dataset.name));
  const { hosts, leave } = await hostsOf(flags, screen);
  const asked = { ...optionsOf(flags, dataset), ...hosts, signal };
  const tuning = await unlessAborted(signal, sweep(asked, flags, screen));
  const printRound = roundPrinter(screen);
  const simulation = simulate({
    ...(tuning === undefined ? asked : tunedOptions(asked, tuning.chosen)),
    onRound: (report) => {
      printRound(report);
      folder?.addRound(report);
      tracked.add(report);
    },
    onProgress: ({ done, total, within, phase, step }) =>
      screen.progress(
        done + within,
        total,
        step === 'rounds'
          ? `round ${Math.min(done + 1, total)}/${total} ${phase}`
          : `${step} ${done}/${total}`,
      ),
    ...(folder === undefined
      ? {}
      : { onCheckpoint: (round: number, bytes: Uint8Array) => folder.addCheckpoint(round, bytes) }),
  });
  const simulated = await unlessAborted(signal, simulation)
    .catch(async (error: unknown) => {
      await tracked.close(signal.aborted ? 'stopped' : 'failed').catch(() => undefined);
      throw error;
    })
    .finally(async () => {
      screen.finish();
      await leave();
    });
  await tracked.close('finished');
  const result = { ...simulated, ...(tuning === undefined ? {} : { tune: tuning }) };
  await closeFolder(folder, { flags, dataset }, result);
  return result;
}

/** Prints a line a round; the heading comes with the first, for a simulation may be refused before it. */
function roundPrinter(screen: Screen): (report: RoundReport) => void {
  let headed = false;
  return (report) => {
    if (!headed) screen.line(headingLine(roundColumns()));
    headed = true;
    screen.line(cellsLine(roundColumns(), roundCells(report)));
  };
}

function optionsOf(flags: SimulateFlags, dataset: SimulationOptions['dataset']): SimulationOptions {
  const given = <K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> =>
    value === undefined ? {} : ({ [name]: value } as Record<K, V>);
  const cohort =
    flags.cohort === undefined
      ? undefined
      : 'count' in flags.cohort
        ? flags.cohort.count
        : Math.round(flags.cohort.share * dataset.users);
  const noiseMultiplier =
    flags.noiseMultiplier ?? (flags.noise === 'default' ? defaultNoiseMultiplier(flags.model) : 0);
  return {
    dataset,
    model: modelInputOf(flags.model, flags),
    ...given('rounds', flags.rounds),
    seed: flags.seed,
    protocol: flags.protocol,
    fit: flags.fit,
    engine: flags.engine,
    backend: flags.backend,
    noiseMultiplier,
    wordBits: flags.wordBits,
    ...given('cohort', cohort),
    ...given('strategyName', flags.strategy),
    ...given('learningRate', flags.learningRate),
    ...given('groupSize', flags.groupSize),
    ...given('mode', flags.mode),
    ...given('combine', flags.combine),
    ...given('clippingNorm', flags.clip),
    ...given('sliceRows', flags.sliceRows),
    ...given('dropout', flags.dropout),
    ...given('workers', typeof flags.workers === 'number' ? flags.workers : undefined),
    privacy: {
      ...given('epsilon', flags.epsilon),
      ...given('dpDelta', flags.delta),
      ...given('against', flags.against),
      ...given('mechanism', flags.mechanism),
      ...given('adaptiveClip', flags.adaptiveClip),
      ...given('poisson', flags.poisson),
      ...given('participations', flags.participations),
      ...given('separation', flags.separation),
      ...given('steps', flags.stepsPerTree),
      ...given('bands', flags.bands),
      ...given('colluders', flags.colluders),
      ...given('metrics', flags.metrics),
    },
    ...given('checkpointEvery', flags.checkpointEvery),
  };
}

async function closeFolder(
  folder: RunFolder | undefined,
  { flags, dataset }: { flags: SimulateFlags; dataset: SplitDataset },
  result: SimulationResult,
): Promise<void> {
  await folder?.finish({ command: 'simulate', ...flags }, result, itemsHash(dataset));
}
