import { audit, isAsDocumented, type AttackResult } from '@tutti/audit';
import { generateFilmShelf, type SplitDataset } from '@tutti/datasets';
import { openNodeEngine } from '@tutti/engine-simd/node';
import { createModel, decodeCheckpoint, recommended, resolveModelConfig } from '@tutti/model';
import { simulate } from '@tutti/simulation';
import { Command } from 'commander';
import { describeData, openData } from '../data.ts';
import { EXIT } from '../exit-codes.ts';
import { realNumber, wholeNumber } from '../parse.ts';
import { abortOnSignals, unlessAborted } from '../signals.ts';
import { openScreen, type Screen } from '../ui/screen.ts';
import { cellsLine, headingLine, type Column } from '../ui/table.ts';

interface AuditFlags {
  dataset?: string;
  rounds: number;
  seed: number;
  epsilon: number;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti audit                             on built-in data, a minute or so
  tutti audit --dataset ml-100k --json    on real data
  tutti audit --epsilon 3                 holds the attack on the sum against weaker noise

Verdicts: defended, exposed (nothing defends there: it shows that the attack finds what it looks for); broken and blunt are the
same facts where the documentation says otherwise, and end with exit code 1. docs/threat-model.md says what is promised.`;

/** People and films of the built-in data: enough films that some are touched by one person of a cohort alone. */
const PEOPLE = 200;
const FILMS = 2_000;

/** Vectors of the model under attack. */
const DIMENSION = 16;

const COLUMNS: readonly Column[] = [
  { heading: 'attack', width: 62 },
  { heading: 'defence', width: 58 },
  { heading: 'value', width: 6, align: 'right' },
  { heading: 'bound', width: 9, align: 'right' },
  { heading: 'verdict', width: 8 },
];

export function auditCommand(): Command {
  return new Command('audit')
    .description('attacks a federation’s outputs, with and without their defences')
    .option('--dataset <folder>', 'data set; built-in data when left out')
    .option('--rounds <n>', 'rounds that the model under attack is trained for', wholeNumber(1, 10_000), 15)
    .option('--seed <n>', 'seed of data, training and attacks', wholeNumber(0), 1)
    .option('--epsilon <e>', 'ε of the noise on the sum that is attacked', realNumber(0.01, 20), 1)
    .option('--json', 'one JSON object on stdout; progress goes to stderr')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: AuditFlags) => {
      const signal = abortOnSignals();
      const screen = openScreen(process.stderr);
      const attacks = await unlessAborted(signal, runAudit(flags, screen, signal));
      screen.finish();
      if (flags.json === true) process.stdout.write(`${JSON.stringify({ attacks })}\n`);
      else for (const line of linesOf(attacks)) process.stdout.write(`${line}\n`);
      if (!isAsDocumented(attacks)) process.exitCode = EXIT.failed;
    });
}

async function runAudit(flags: AuditFlags, screen: Screen, signal: AbortSignal): Promise<AttackResult[]> {
  const data =
    flags.dataset === undefined
      ? generateFilmShelf({ seed: flags.seed, users: PEOPLE, items: FILMS })
      : await openData(flags);
  screen.line(`data: ${describeData(data, flags)}`);
  const checkpoint = await trained(data, flags, screen, signal);
  const facts = { items: data.items, meanHistory: data.train.values.length / data.users };
  const model = createModel(resolveModelConfig({ family: 'mf', dimension: DIMENSION }, facts), data.items);
  const { engine } = await openNodeEngine({ model });
  const { shared } = decodeCheckpoint(checkpoint, model.layout);
  const loaded = await engine.load(shared);
  try {
    return await audit({
      model,
      loaded,
      shared,
      data,
      clippingNorm: recommended(model.config, facts).clippingNorm,
      seed: flags.seed,
      epsilon: flags.epsilon,
      onAttack: (done, total, name) => screen.progress(done, total, name),
    });
  } finally {
    loaded.dispose();
  }
}

/** A model that has learned something: attacks on first weights find nothing. */
async function trained(
  data: SplitDataset,
  { rounds, seed }: AuditFlags,
  screen: Screen,
  signal: AbortSignal,
): Promise<Uint8Array> {
  let checkpoint = new Uint8Array(0);
  await simulate({
    dataset: data,
    model: { family: 'mf', dimension: DIMENSION },
    rounds,
    protocol: 'plain',
    seed,
    signal,
    checkpointEvery: rounds,
    onProgress: ({ done, total }) =>
      screen.progress(done, total, `training what is attacked, round ${done}/${total}`),
    onCheckpoint: async (_round, bytes) => void (checkpoint = bytes.slice()),
  });
  return checkpoint;
}

function linesOf(attacks: readonly AttackResult[]): string[] {
  const rows = attacks.map(({ name, defence, value, bound, verdict }) =>
    cellsLine(COLUMNS, [
      name,
      defence,
      figure(value),
      `${defence === 'none' ? '≥' : '≤'} ${figure(bound)}`,
      verdict,
    ]),
  );
  const summary = isAsDocumented(attacks)
    ? `every verdict is as documented (${attacks.length})`
    : `NOT as documented: ${attacks
        .filter((attack) => !isAsDocumented([attack]))
        .map(({ name, statistic }) => `${name} (${statistic})`)
        .join('; ')}`;
  return [headingLine(COLUMNS), ...rows, '', summary];
}

const figure = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(3));
