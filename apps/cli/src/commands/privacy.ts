import {
  accountPlan,
  bandedCoefficients,
  calibratePlan,
  type NoiseMechanism,
  type ReleasePlan,
} from '@tutti/privacy';
import { Command, Option } from 'commander';
import { CommandError } from '../exit-codes.ts';
import { realNumber, wholeNumber } from '../parse.ts';

interface PrivacyFlags {
  epsilon?: number;
  noiseMultiplier?: number;
  delta: number;
  mechanism: NoiseMechanism['mechanism'];
  rounds?: number;
  sampling?: number;
  cohort?: number;
  population?: number;
  participations?: number;
  scaledClip?: number;
  dimension?: number;
  stepsPerTree?: number;
  trees?: number;
  bands?: number;
  separation?: number;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti privacy --epsilon 8 --delta 1e-5 --rounds 300 --cohort 100 --population 6040
      how much noise 300 rounds of 100 out of 6,040 people need
  tutti privacy --noise-multiplier 1.5 --sampling 0.04 --rounds 2249 --delta 1e-5 --json
      what that much noise gives
  tutti privacy --noise-multiplier 1 --rounds 300 --participations 5 --delta 1e-5
      what it gives people who take part in at most 5 rounds
  tutti privacy --mechanism tree --noise-multiplier 8.83 --steps-per-tree 1600 --delta 1e-6
  tutti privacy --mechanism banded --epsilon 8 --rounds 300 --participations 5 --separation 50 --delta 1e-5
      noise that cancels over the rounds, for people whom nobody samples
  tutti privacy --mechanism skellam --noise-multiplier 2 --scaled-clip 16 --dimension 256 --rounds 10 --delta 1e-6

Neighbours: one person's whole update more or less. The smaller ε is, the less anyone learns; docs/choosing-epsilon.md says
how to choose it. Sampling counts only where each person is asked independently and nobody learns who was.`;

export function privacyCommand(): Command {
  return new Command('privacy')
    .description('how much noise an ε needs, or what ε a noise gives')
    .addOption(
      new Option('--epsilon <e>', 'ε asked for: answers the least noise').argParser(realNumber(1e-3, 1e3)),
    )
    .addOption(
      new Option(
        '--noise-multiplier <z>',
        "the noise's deviation over the clipping norm (skellam: over that of a rounded update): answers ε",
      )
        .argParser(realNumber(1e-2, 1e6))
        .conflicts('epsilon'),
    )
    .requiredOption('--delta <d>', 'δ, well below one over the number of people', realNumber(1e-15, 0.5))
    .addOption(
      new Option('--mechanism <name>', 'how noise is added')
        .choices(['gaussian', 'skellam', 'tree', 'banded'])
        .default('gaussian'),
    )
    .option('--rounds <n>', 'rounds that are released', wholeNumber(1, 100_000_000))
    .option('--sampling <q>', "a person's chance of being asked in a round (default: 1)", realNumber(1e-9, 1))
    .addOption(
      new Option('--cohort <n>', 'people asked in a round, with --population')
        .argParser(wholeNumber(1))
        .conflicts('sampling'),
    )
    .addOption(
      new Option('--population <n>', 'people there are').argParser(wholeNumber(1)).conflicts('sampling'),
    )
    .option(
      '--participations <k>',
      'most rounds (trees, for trees without --separation) that one person takes part in',
      wholeNumber(1, 100_000_000),
    )
    .option(
      '--separation <n>',
      'tree, banded: fewest rounds from one part of a person to the next',
      wholeNumber(1, 100_000_000),
    )
    .option('--scaled-clip <n>', 'skellam: clipping norm in ring units', realNumber(1e-6, 2 ** 31))
    .option('--dimension <d>', 'skellam: length of the update', wholeNumber(1, 2 ** 31))
    .option('--steps-per-tree <n>', 'tree: releases of one tree', wholeNumber(1, 100_000_000))
    .option('--trees <n>', 'tree: trees, one after another (default: 1)', wholeNumber(1, 1_000_000))
    .option('--bands <n>', 'banded: bands of the matrix (default: the best)', wholeNumber(1, 128))
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', EXAMPLES)
    .action((flags: PrivacyFlags) => answer(flags));
}

function answer(flags: PrivacyFlags): void {
  const plan = planOf(flags);
  const noiseMultiplier = flags.noiseMultiplier ?? calibratePlan(plan, needed(flags, 'epsilon'));
  const account = accountPlan(plan, noiseMultiplier);
  const { noise, sampling, rounds, dpDelta: delta } = plan;
  const bands = noise.mechanism === 'banded' ? { bands: noise.coefficients.length } : {};
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ mechanism: flags.mechanism, noiseMultiplier, sampling, rounds, delta, ...bands, ...account })}\n`
      : `${linesOf(noiseMultiplier).join('\n')}\n`,
  );

  function linesOf(z: number): string[] {
    const { rdp, pld, unamplified } = account;
    const readers = pld.epsilon ?? rdp.epsilon;
    const central = noise.mechanism === 'tree' || noise.mechanism === 'banded';
    const amplified =
      sampling < 1 ? `, if each person is asked with chance ${sampling.toPrecision(3)} and in secret` : '';
    return [
      `noise multiplier     ${z.toPrecision(6)}${flags.epsilon === undefined ? '' : `, the least for ε = ${flags.epsilon}`}`,
      ...(noise.mechanism === 'banded' ? [`bands                ${noise.coefficients.length}`] : []),
      `against readers      ε = ${readers.toFixed(4)} at δ = ${delta}${amplified}`,
      `                     by ${noise.mechanism === 'skellam' ? `RDP (order ${rdp.order})` : `PLD; ${rdp.epsilon.toFixed(4)} by RDP (order ${rdp.order})`}`,
      central
        ? 'against coordinator  nothing holds: it adds the noise, and sees the sum without it'
        : `against coordinator  ε = ${unamplified.epsilon.toFixed(4)}: it sees who takes part, so nothing is amplified`,
    ];
  }
}

function planOf(flags: PrivacyFlags): ReleasePlan {
  if (flags.epsilon === undefined && flags.noiseMultiplier === undefined)
    throw new CommandError('Say --epsilon E to learn the noise, or --noise-multiplier Z to learn ε.');
  const { delta, participations } = flags;
  const noise = noiseOf(flags);
  return {
    noise,
    rounds: noise.mechanism === 'tree' ? noise.trees : needed(flags, 'rounds'),
    sampling: samplingOf(flags),
    dpDelta: delta,
    ...(participations === undefined ? {} : { participations }),
  };
}

function noiseOf(flags: PrivacyFlags): NoiseMechanism {
  const { mechanism } = flags;
  const of: Partial<Record<keyof PrivacyFlags, readonly string[]>> = {
    scaledClip: ['skellam'],
    dimension: ['skellam'],
    stepsPerTree: ['tree'],
    trees: ['tree'],
    bands: ['banded'],
    separation: ['tree', 'banded'],
  };
  for (const [option, owners] of Object.entries(of))
    if (!owners.includes(mechanism) && flags[option as keyof PrivacyFlags] !== undefined)
      throw new CommandError(
        `${nameOf(option)} is for --mechanism ${owners.join(' and ')}; this is ${mechanism}.`,
      );
  switch (mechanism) {
    case 'gaussian':
      return { mechanism };
    case 'skellam':
      return { mechanism, scaledClip: needed(flags, 'scaledClip'), dimension: needed(flags, 'dimension') };
    case 'tree':
      return {
        mechanism,
        stepsPerTree: needed(flags, 'stepsPerTree'),
        trees: flags.trees ?? 1,
        ...(flags.separation === undefined ? {} : { separation: flags.separation }),
      };
    case 'banded':
      return { mechanism, ...bandedOf(flags) };
  }
}

/** The matrix that suits how often a person takes part: in every round, unless the flags say less. */
function bandedOf(flags: PrivacyFlags): { coefficients: readonly number[]; separation: number } {
  const rounds = needed(flags, 'rounds');
  const { separation = 1, participations: most = Math.ceil(rounds / separation) } = flags;
  return { coefficients: bandedCoefficients(rounds, { most, separation }, flags.bands), separation };
}

function samplingOf({ sampling, cohort, population }: PrivacyFlags): number {
  if (cohort === undefined && population === undefined) return sampling ?? 1;
  if (cohort === undefined || population === undefined)
    throw new CommandError(
      '--cohort and --population go together: their quotient is the chance of being asked.',
    );
  if (cohort > population)
    throw new CommandError(
      `a cohort of ${cohort} out of a population of ${population}: there are not so many people.`,
    );
  return cohort / population;
}

function needed<Name extends keyof PrivacyFlags>(
  flags: PrivacyFlags,
  name: Name,
): NonNullable<PrivacyFlags[Name]> {
  const value = flags[name];
  if (value === undefined || value === null)
    throw new CommandError(`--mechanism ${flags.mechanism} needs ${nameOf(name)}.`);
  return value;
}

const nameOf = (option: string): string =>
  `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
