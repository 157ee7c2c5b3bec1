import { audit, isAsDocumented, type AttackResult } from '@tutti/audit';
import { MODEL_FAMILIES, type ModelFamily } from '@tutti/model';
import { Command, Option } from 'commander';
import { auditLines } from '../audit/lines.ts';
import { realWire } from '../audit/real-wire.ts';
import { writeAuditReport } from '../audit/report.ts';
import { freshTargets, recordedTargets, smallTarget, type Targets } from '../audit/targets.ts';
import { describeData } from '../data.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { realNumber, wholeNumber } from '../parse.ts';
import { abortOnSignals, unlessAborted } from '../signals.ts';
import { openScreen, type Screen } from '../ui/screen.ts';

interface AuditFlags {
  dataset?: string;
  run?: string;
  model: ModelFamily | 'both';
  rounds: number;
  seed: number;
  epsilon: number;
  delta: number;
  wire: boolean;
  out?: string;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti audit                                     on built-in data, about a minute
  tutti audit --run runs/a                        the last checkpoint of a folder that tutti simulate --out wrote
  tutti audit --dataset ml-1m --model mf --json   on real data; gender is inferred where ml-1m.users.tsv is beside it
  tutti audit --epsilon 8 --out audit.html        holds the attacks on sums against weaker noise, and draws ROC curves

Verdicts: defended, exposed (nothing defends there: it shows that the attack finds what it looks for); broken and blunt are the
same facts where the documentation says otherwise, and end with exit code 1. docs/threat-model.md says what is promised.`;

/** Families that are attacked. What readers of a content model see is no mean of deltas, which the attacks take apart. */
const AUDITED = MODEL_FAMILIES.filter((family) => family !== 'content');

export function auditCommand(): Command {
  return new Command('audit')
    .description('attacks a federation’s outputs, with and without their defences')
    .option('--dataset <folder>', 'data set; built-in data when left out')
    .option('--run <dir>', 'attack a recorded run instead of a fresh one')
    .addOption(
      new Option('--model <family>', 'model family to attack; both: mf and mlp')
        .choices([...AUDITED, 'both'])
        .default('both'),
    )
    .option('--rounds <n>', 'rounds that a fresh model is trained for', wholeNumber(1, 10_000), 30)
    .option('--seed <n>', 'seed of data, training and attacks', wholeNumber(0), 1)
    .option('--epsilon <e>', 'ε of the noise on the sums that are attacked', realNumber(0.01, 20), 1)
    .option('--delta <d>', 'δ of that noise', realNumber(1e-12, 0.1), 1e-5)
    .option('--no-wire', 'leave the real sockets out')
    .option('--out <file>', 'write a report with ROC curves there: one HTML file that opens offline')
    .option('--json', 'one JSON object on stdout; progress goes to stderr')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: AuditFlags, command: Command) => {
      refuseBesideRun(flags, command);
      const signal = abortOnSignals();
      const screen = openScreen(process.stderr);
      const attacks = await unlessAborted(signal, runAudit(flags, screen, signal));
      screen.finish();
      if (flags.out !== undefined) await writeAuditReport(flags.out, attacks, { ...flags });
      if (flags.json === true) process.stdout.write(`${JSON.stringify({ attacks })}\n`);
      else for (const line of auditLines(attacks)) process.stdout.write(`${line}\n`);
      if (!isAsDocumented(attacks)) process.exitCode = EXIT.failed;
    });
}

/** A recorded run has its model and its rounds. */
function refuseBesideRun({ run }: AuditFlags, command: Command): void {
  const given = ['model', 'rounds'].filter((name) => command.getOptionValueSource(name) === 'cli');
  if (run !== undefined && given.length > 0)
    throw new CommandError(
      `--run ${run} brings its own model and rounds; leave out ${given.map((name) => `--${name}`).join(' and ')}.`,
    );
}

async function runAudit(flags: AuditFlags, screen: Screen, signal: AbortSignal): Promise<AttackResult[]> {
  const { seed, epsilon, delta, wire } = flags;
  const { data, choice, targets } = await openTargets(flags, screen, signal);
  screen.line(`data: ${describeData(data, choice)}`);
  const small = await smallTarget(seed);
  try {
    return await audit({
      targets,
      small,
      ...(wire ? { wire: realWire(signal) } : {}),
      seed,
      guarantee: { epsilon, dpDelta: delta },
      onAttack: (done, total, name) => {
        if (done < total) screen.step(`attacks on ${name}`);
        screen.progress(done, total, name);
      },
    });
  } finally {
    for (const { loaded } of [...targets, small]) loaded.dispose();
  }
}

function openTargets(flags: AuditFlags, screen: Screen, signal: AbortSignal): Promise<Targets> {
  const { dataset, run, model, rounds, seed } = flags;
  if (run !== undefined) return recordedTargets(run, dataset);
  return freshTargets({
    ...(dataset === undefined ? {} : { dataset }),
    families: model === 'both' ? ['mf', 'mlp'] : [model],
    rounds,
    seed,
    screen,
    signal,
  });
}
