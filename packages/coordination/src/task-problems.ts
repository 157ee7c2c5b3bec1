import { DecodeError, UsageError } from '@tutti/base';
import { createStrategy, FEWEST_ROBUST_GROUPS } from '@tutti/aggregation';
import {
  LARGEST_COMPLETE_GRAPH,
  LARGEST_GROUP,
  smallestGroup,
  SMALLEST_COHORTS,
  WORD_BITS,
} from '@tutti/secure-aggregation';
import { contentOf } from './content-model.ts';
import { identityProblems, OPEN } from './identity.ts';
import { lanesOf } from './lanes.ts';
import { noiseProblems, type ConfigProblem } from './noise-problems.ts';
import { ringProblem } from './ring-plan.ts';
import { sliceProblems } from './slice-problems.ts';
import { rulesOf, type TaskConfig } from './task-config.ts';

export type { ConfigProblem } from './noise-problems.ts';

/** Everything that is wrong, each with its path and both sides of the comparison. */
export function problemsOfTask(config: TaskConfig): ConfigProblem[] {
  const { cohort, deadlinesMs } = config;
  const problems: ConfigProblem[] = [];
  const ask = (path: string, fits: boolean, problem: string): void =>
    void (fits || problems.push({ path, problem }));
  const whole = (path: string, value: number, least: number, most: number): void =>
    ask(
      path,
      Number.isInteger(value) && value >= least && value <= most,
      `${value} is not a whole number from ${least} to ${most}`,
    );
  ask(
    'name',
    /^[a-z0-9][a-z0-9-]{0,62}$/.test(config.name),
    `${JSON.stringify(config.name)} is not 1 to 63 of a-z, 0-9 and "-"`,
  );
  whole('rounds', config.rounds, 0, 0xffff_ffff);
  whole('cohort.planned', cohort.planned, 1, 1_000_000);
  whole('cohort.smallest', cohort.smallest, 1, 1_000_000);
  // Without masks a group is a number in the books, and may hold everybody.
  const largest = config.protection === 'plain' ? 1_000_000 : LARGEST_GROUP;
  whole('cohort.largestGroup', cohort.largestGroup, 2, largest);
  const rules = rulesOf(config);
  whole('graph.corruptPermille', rules.corruptPermille, 0, 333);
  whole('graph.dropoutPermille', rules.dropoutPermille, 0, 500);
  whole('graph.largestComplete', rules.largestComplete, 2, LARGEST_COMPLETE_GRAPH);
  whole('keepCheckpoints', config.keepCheckpoints, 1, 1_000_000);
  ask(
    'cohort.smallest',
    cohort.smallest <= cohort.planned,
    `${cohort.smallest} is above the planned cohort of ${cohort.planned}`,
  );
  ask(
    'cohort.overselection',
    cohort.overselection >= 1 && cohort.overselection <= 10,
    `${cohort.overselection} is not from 1 to 10`,
  );
  ask(
    'clippingNorm',
    config.clippingNorm > 0 && config.clippingNorm <= 1e9,
    `${config.clippingNorm} is not above 0, at most 1e9`,
  );
  problems.push(...noiseProblems(config), ...sliceProblems(config));
  for (const [name, value] of Object.entries(deadlinesMs)) whole(`deadlinesMs.${name}`, value, 1, 3_600_000);
  if (config.protection === 'secure' && config.insecureSmallCohort !== true) {
    const least = SMALLEST_COHORTS[rules.mode];
    const below = `is below ${least}, the smallest cohort for ${rules.mode} secure aggregation (set insecureSmallCohort to override)`;
    const group = smallestGroup(cohort);
    ask(
      'cohort.largestGroup',
      cohort.smallest > cohort.planned || group >= Math.min(least, cohort.smallest),
      `groups of at most ${cohort.largestGroup} can leave ${group} members in one, and masks protect ${least} or more; ${2 * least - 1} or more always fit`,
    );
    ask('cohort.planned', cohort.planned >= least, `${cohort.planned} ${below}`);
    ask('cohort.smallest', cohort.smallest >= least, `${cohort.smallest} ${below}`);
    ask('cohort.largestGroup', cohort.largestGroup >= least, `${cohort.largestGroup} ${below}`);
  }
  problems.push(...identityProblems(config.identity ?? OPEN, rules.mode, config.protection));
  const groups = Math.ceil(cohort.planned / cohort.largestGroup);
  ask(
    'combine',
    (config.combine ?? 'mean') === 'mean' || groups >= FEWEST_ROBUST_GROUPS,
    `${config.combine} over ${groups} groups; ${FEWEST_ROBUST_GROUPS} are needed (a cohort of ${cohort.planned} in groups of at most ${cohort.largestGroup})`,
  );
  const { wordBits = 'auto' } = config;
  ask(
    'wordBits',
    wordBits === 'auto' || WORD_BITS.includes(wordBits),
    `${wordBits} is none of ${WORD_BITS.join(', ')}, auto`,
  );
  problems.push(...contentProblems(config), ...promotionProblems(config));
  if (problems.length === 0) {
    const problem = ringProblem(config, lanesOf(config, 'train'));
    if (problem !== undefined) problems.push({ path: 'wordBits', problem: `${wordBits}: ${problem}` });
  }
  try {
    createStrategy(config.strategy);
  } catch (error) {
    problems.push({ path: 'strategy', problem: error instanceof Error ? error.message : String(error) });
  }
  return problems;
}

/** What is wrong with how models come to channels by themselves. */
function promotionProblems({ promotion, metrics, noise }: TaskConfig): ConfigProblem[] {
  if (promotion === undefined) return [];
  const problems: ConfigProblem[] = [];
  const ask = (name: string, fits: boolean, problem: string): void =>
    void (fits || problems.push({ path: `promotion${name}`, problem }));
  const { every, canaryShare, margin, confidence, minClients, maxRounds } = promotion;
  const asked = maxRounds * canaryShare;
  for (const [name, value] of Object.entries({ every, minClients, maxRounds }))
    ask(`.${name}`, Number.isSafeInteger(value) && value >= 1, `${value} is not a whole number from 1`);
  ask('.canaryShare', canaryShare > 0 && canaryShare <= 1, `${canaryShare} is not above 0, at most 1`);
  ask('.margin', margin >= 0 && margin <= 1, `${margin} is not from 0 to 1`);
  ask('.confidence', confidence >= 0.5 && confidence < 1, `${confidence} is not from 0.5, below 1`);
  ask(
    '.maxRounds',
    !(asked > 1 + 1e-9),
    `${maxRounds} looks at ${canaryShare} of the devices each would ask some twice; at most ${Math.floor(1 / canaryShare + 1e-9)} fit`,
  );
  ask(
    '',
    metrics !== false || noise.accounting === undefined,
    'candidates are judged by metric lanes, which metrics: false keeps from the budget',
  );
  return problems;
}

/** What is wrong with what is said of the items, where a content model needs it. */
function contentProblems(config: TaskConfig): ConfigProblem[] {
  try {
    contentOf(config);
    return [];
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof DecodeError)) throw error;
    return [{ path: 'catalogue', problem: error.message }];
  }
}

/** @throws {UsageError} with one line for each problem, prefixed with `tasks[name]`. */
export function checkTaskConfig(config: TaskConfig): void {
  const problems = problemsOfTask(config);
  if (problems.length > 0)
    throw new UsageError(
      problems.map(({ path, problem }) => `tasks[${config.name}].${path}: ${problem}`).join('\n'),
    );
}
