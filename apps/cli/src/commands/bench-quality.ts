import { Command, Option } from 'commander';
import { MODEL_FAMILIES } from '@tutti/model';
import { FITS, partsOf, type RoundReport } from '@tutti/simulation';
import { describeData, openData } from '../data.ts';
import { engineOptions } from '../engine-options.ts';
import { CommandError } from '../exit-codes.ts';
import { checkWorkers, hostsOf, secretOption, type WorkersFlags } from '../hosts.ts';
import { cohortSize, threadsOrRedis, wholeNumber } from '../parse.ts';
import { itemsOption, peopleOption } from '../built-in-options.ts';
import { addModelOptions } from '../model-options.ts';
import { canaryLines, canaryNotes, runCanaries } from '../quality/canaries.ts';
import { benchColdItems } from '../quality/cold-items.ts';
import type { ChosenRound } from '../quality/choose-round.ts';
import { compareReferences, type Comparison } from '../quality/compare.ts';
import { benchFederation, openFamily, type FamilyFlags, type HostsOption } from '../quality/federation.ts';
import { fitNote, type Bench, type MethodReport } from '../quality/measure.ts';
import { qualityOptions } from '../quality/options.ts';
import { breather } from '../quality/progress.ts';
import { settingsOf, type ReferenceName, type ReferenceSettings } from '../quality/references.ts';
import { tuneReferences } from '../quality/tune.ts';
import { checkReport, writeReport } from '../report/report-file.ts';
import { roundCharts, type Chart } from '../report/html.ts';
import { qualityPage } from '../report/quality-page.ts';
import { abortOnSignals, unlessAborted } from '../signals.ts';
import { coldItemsTable, methodsLines, tableLines } from '../ui/quality.ts';
import { openScreen, type Screen } from '../ui/screen.ts';

interface BenchFlags extends FamilyFlags, WorkersFlags {
  readonly dataset?: string;
  readonly users?: number;
  readonly items?: number;
  readonly seeds: number;
  readonly seed: number;
  readonly against: ReferenceName[];
  readonly tune?: boolean;
  readonly report?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti bench-quality --model mf                                     the built-in data, three seeds
  tutti bench-quality --dataset ml-1m --model mf --rounds 150 --seeds 3 --report quality.html
  tutti bench-quality --dataset ml-100k --tune --json                popularity, item-kNN, EASE and iALS alone
  tutti bench-quality --dataset ml-100k --model mlp --against popularity,ials
  tutti bench-quality --dataset ml-100k --model content              and how it ranks items that nobody has touched
  tutti bench-quality --dataset ml-1m --model mf --workers redis://10.0.0.1:6379
      on the hosts where \`tutti worker --redis redis://10.0.0.1:6379\` runs; the same figures to the last bit`;

export function benchQualityCommand(): Command {
  return addModelOptions(new Command('bench-quality'))
    .description(
      'how good a family’s federation ranks, over seeds, against references; without --model the references alone',
    )
    .option('--dataset <folder>', 'ratings (MovieLens, NCF files or a CSV); built-in data when left out')
    .addOption(peopleOption())
    .addOption(itemsOption())
    .addOption(new Option('--model <family>', 'model family').choices([...MODEL_FAMILIES]))
    .option('--rounds <n>', 'updates of the shared model', wholeNumber(1, 1_000_000), 100)
    .option('--cohort <n|p%>', 'clients a round (default: 10%, at least 16)', cohortSize)
    .addOption(
      new Option(
        '--protocol <name>',
        'the integer pipeline without masks, or masked: the same figures, slower',
      )
        .choices(['plain', 'secure'])
        .default('plain'),
    )
    .addOption(new Option('--fit <name>', 'what is trained on').choices([...FITS]).default('files'))
    .option('--seeds <n>', 'seeds that figures are means of', wholeNumber(1, 100), 3)
    .option('--seed <n>', 'the first seed, and that of the built-in data', wholeNumber(0), 1)
    .option(
      '--workers <n|address>',
      'threads here (default: as many as cores), or redis://…: those of every `tutti worker` there; figures do not depend on it',
      threadsOrRedis,
    )
    .addOption(secretOption())
    .addOption(qualityOptions()[0])
    .option('--tune', 'choose the settings of EASE and iALS on validation items')
    .addOption(engineOptions()[0])
    .addOption(engineOptions()[1])
    .addOption(qualityOptions()[1])
    .option('--json', 'one JSON object on stdout; progress goes to stderr')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: BenchFlags, command: Command) => {
      checkFlags(flags, command);
      await checkReport(flags.report);
      const signal = abortOnSignals();
      const screen = openScreen(process.stderr);
      const { hosts = {}, leave } = await hostsOf(flags, screen);
      const result = await unlessAborted(signal, runBench(flags, { screen, signal, hosts })).finally(
        async () => {
          screen.finish();
          await leave();
        },
      );
      const lines = canaryLines(result.canaries);
      if (flags.json === true) {
        process.stdout.write(`${JSON.stringify(result.json)}\n`);
        if (!result.canaries.passed) for (const line of lines) screen.line(line);
      } else process.stdout.write(`${[...resultLines(result), ...lines].join('\n')}\n`);
      await writeReport(flags.report, () => benchPage(flags, result));
      if (flags.report !== undefined) screen.line(`report: ${flags.report}`);
    });
}

type BenchResult = Awaited<ReturnType<typeof runBench>>;

function checkFlags(flags: BenchFlags, command: Command): void {
  checkWorkers(flags);
  if (flags.model === undefined) refuseWithoutModel(command, flags.against);
  if (typeof flags.workers === 'string' && flags.model === undefined)
    throw new CommandError('--workers redis://… is for --model; references are fitted and ranked with here');
}

/** Options that say something of references, of the data or of how figures come out; every other one is about a family. */
const WITHOUT_MODEL: readonly string[] = [
  ...['dataset', 'users', 'items', 'fit', 'seeds', 'seed'],
  ...['against', 'tune', 'workers', 'secret', 'report', 'json'],
];

/** @throws {CommandError} naming what was asked for that only a family has. */
function refuseWithoutModel(command: Command, against: readonly ReferenceName[]): void {
  const asked = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  const idle = command.options.filter(
    (option) => asked(option.attributeName()) && !WITHOUT_MODEL.includes(option.attributeName()),
  );
  const named = [
    ...idle.map(({ long }) => long ?? ''),
    ...(asked('against') && against.includes('central') ? ['--against central'] : []),
  ];
  if (named.length > 0)
    throw new CommandError(
      `${named.join(', ')}: of a family, and without --model the references alone are measured; add --model ${MODEL_FAMILIES.join('|')}`,
    );
}

async function runBench(
  flags: BenchFlags,
  { screen, signal, hosts }: { screen: Screen; signal: AbortSignal; hosts: HostsOption },
) {
  const started = performance.now();
  const data = await openData(flags);
  screen.line(`data: ${describeData(data, flags)}`);
  const { train, validation } = partsOf(data, flags.fit);
  const bench: Bench = { data, train, test: data.test, breathe: breather(signal) };
  const canaries = await runCanaries(bench, screen);
  const chosen = flags.tune === true ? await tuned(flags, bench, screen) : {};
  const settings = settingsOf(flags.against, train, chosen);
  const seeds = Array.from({ length: flags.seeds }, (_, n) => flags.seed + n);
  const family = flags.model === undefined ? undefined : await openFamily(flags, bench, { hosts, signal });
  const names = flags.against.filter((name) => name !== 'central' || family !== undefined);
  const comparison: Comparison = {
    bench,
    names,
    seeds,
    settings,
    screen,
    ...(family === undefined ? {} : { central: family.central }),
  };
  const federation =
    family === undefined
      ? undefined
      : await benchFederation(family, comparison, { flags, validation, hosts, signal });
  const cold =
    family === undefined || flags.model !== 'content'
      ? undefined
      : await benchColdItems(family, comparison, { flags, hosts, signal });
  const { reports, skipped } = await compareReferences(comparison);
  await family?.central.evaluator.close();
  const methods: Record<string, MethodReport> = {
    ...(federation === undefined ? {} : { federated: federation.report }),
    ...reports,
  };
  const notes = [
    fitNote(data, flags.fit),
    ...canaryNotes(canaries),
    ...skipped.map(({ reason }) => reason),
    ...comparedNotes(methods, federation?.chosen ?? []),
  ];
  const { name, users, items, interactions } = data;
  const json = {
    dataset: { name, users, items, interactions },
    fit: flags.fit,
    model: family === undefined ? null : { ...family.central.engine.model.config },
    rounds: family === undefined ? null : flags.rounds,
    cohort: family?.cohort ?? null,
    protocol: family === undefined ? null : flags.protocol,
    backend: family?.central.engine.backend ?? null,
    seeds,
    settings,
    methods,
    chosen: federation?.chosen ?? [],
    coldItems: cold ?? null,
    canaries,
    skipped,
    notes,
    wallSeconds: (performance.now() - started) / 1_000,
  };
  return { json, methods, canaries, notes, cold, rounds: federation?.rounds ?? [], data };
}

async function tuned(
  { against }: BenchFlags,
  { data, breathe }: Bench,
  screen: Screen,
): Promise<ReferenceSettings> {
  const { train, validation } = partsOf(data, 'train-only');
  if (validation === undefined)
    throw new CommandError('--tune chooses on validation items, and this data set has none');
  screen.step('tuning EASE and iALS on validation items');
  return tuneReferences({
    names: against,
    train,
    validation,
    onProgress: async (doing) => {
      screen.progress(0, 1, doing);
      await breathe();
    },
  });
}

/** How the federation stands beside central training, and what another round would have given. */
function comparedNotes(
  methods: Readonly<Record<string, MethodReport>>,
  chosen: readonly ({ seed: number } & ChosenRound)[],
): string[] {
  const { federated, central } = methods;
  const share = (kind: 'hr10' | 'ndcg10'): string =>
    `${((100 * (federated?.sampled[kind] ?? 0)) / (central?.sampled[kind] ?? 1)).toFixed(1)} %`;
  return [
    ...(federated === undefined || central === undefined
      ? []
      : [
          `this federation reaches ${share('hr10')} of the HR and ${share('ndcg10')} of the NDCG of central training`,
        ]),
    ...chosen.map(
      ({ seed, round, sampled }) =>
        `seed ${seed}: validation items choose round ${round}, HR@10 / NDCG@10 ${sampled.hr10.toFixed(4)} / ${sampled.ndcg10.toFixed(4)}; the table is of the last round`,
    ),
  ];
}

function resultLines({ methods, notes, json, cold }: BenchResult): string[] {
  return [
    ...methodsLines(methods),
    ...(cold === undefined ? [] : ['', ...tableLines(coldItemsTable(cold))]),
    '',
    `means of ${json.seeds.length} seeds where a seed matters; in brackets 95 % intervals over people`,
    ...notes,
  ];
}

function benchPage(flags: BenchFlags, result: BenchResult): string {
  const { json, methods, canaries, notes, cold, rounds, data } = result;
  return qualityPage({
    title: `Tutti quality: ${data.name}`,
    subtitle: `${data.users} people, ${data.items} items, ${data.interactions} interactions · ${flags.model ?? 'references alone'} · seeds ${json.seeds.join(', ')}`,
    methods,
    canaries,
    notes,
    ...(cold === undefined ? {} : { cold }),
    rounds: roundsCharts(rounds),
    config: { options: flags, model: json.model, settings: json.settings },
  });
}

function roundsCharts(rounds: readonly { seed: number; reports: readonly RoundReport[] }[]): Chart[] {
  const [first] = rounds;
  if (first === undefined) return [];
  const committed = first.reports.filter(({ outcome }) => outcome === 'committed');
  const numbers = committed.map(({ round }) => round);
  return roundCharts(numbers, {
    [`training loss, seed ${first.seed}`]: committed.map(({ loss }) => loss),
    [`HR@10 on validation items (secure lanes), seed ${first.seed}`]: committed.map(({ hr10 }) => hr10),
  });
}
