import { UsageError } from '@tutti/base';
import {
  createStrategy,
  FEWEST_ROBUST_GROUPS,
  type Combination,
  type StrategyConfig,
} from '@tutti/aggregation';
import type { Model } from '@tutti/model';
import {
  LARGEST_COMPLETE_GRAPH,
  LARGEST_GROUP,
  smallestGroup,
  SMALLEST_COHORTS,
  type GraphRules,
  type Mode,
} from '@tutti/secure-aggregation';

/** What a task is run with. Every field is checked at once; see {@link checkTaskConfig}. */
export interface TaskConfig {
  readonly name: string;
  readonly model: Model;
  /** The catalogue as canonical JSON bytes; clients fetch it by its hash. */
  readonly catalogue: Uint8Array;
  readonly strategy: StrategyConfig;
  /** C: L2 norm that each model delta is scaled down to. */
  readonly clippingNorm: number;
  /** Updates to make. */
  readonly rounds: number;
  readonly cohort: {
    /** Clients wanted in a round. */
    readonly planned: number;
    /** Fewer than this many ready end an attempt. */
    readonly smallest: number;
    /** Clients that mask together at most. */
    readonly largestGroup: number;
    /** Clients asked to train for each one that is wanted, ≥ 1. */
    readonly overselection: number;
  };
  readonly deadlinesMs: {
    readonly train: number;
    /** Sparse groups; as for sharing keys when left out. */
    readonly revealNonces?: number;
    readonly shareKeys: number;
    readonly maskedInput: number;
    /** Active mode; as for unmasking when left out. */
    readonly survivors?: number;
    readonly unmask: number;
  };
  /** How the groups of a round become one update; default `mean`. The others need three groups. */
  readonly combine?: Combination;
  /** Whom masks protect against; default `semi-honest`. */
  readonly mode?: Mode;
  /** How groups are wired; default {@link DEFAULT_GRAPH}. */
  readonly graph?: Omit<GraphRules, 'mode'>;
  readonly protection: 'secure' | 'plain';
  readonly noise: {
    /** Standard deviation of the sum's noise over C; 0 for none. */
    readonly multiplier: number;
    /** The same for each metric lane, over 1; 0 for none. */
    readonly metricMultiplier: number;
    /** Counts ε, and ends the task when the budget is spent. */
    readonly accounting?: { readonly dpDelta: number; readonly epsilonBudget?: number };
  };
  /** Seed of the first weights. */
  readonly seed: string;
  /** Checkpoints kept, the newest included. */
  readonly keepCheckpoints: number;
  /** Allows cohorts below 16, which masks do not protect. */
  readonly insecureSmallCohort?: boolean;
  /** Counts securely how many clients touched each item row, and averages each row over those. */
  readonly rowCounts?: boolean;
  /** How long an attempt waits for more clients once enough for the smallest cohort wait, in milliseconds; default 2000. */
  readonly selectionMs?: number;
}

/** One in twenty may collude or drop out, and groups up to 128 are complete. */
const DEFAULT_GRAPH: Omit<GraphRules, 'mode'> = {
  corruptPermille: 50,
  dropoutPermille: 50,
  largestComplete: LARGEST_COMPLETE_GRAPH,
};

/** What decides the graph of a task's groups. */
export function rulesOf({ mode = 'semi-honest', graph = DEFAULT_GRAPH }: TaskConfig): GraphRules {
  return { mode, ...graph };
}

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  readonly path: string;
  readonly problem: string;
}

/** Everything that is wrong, each with its path and both sides of the comparison. */
export function problemsOfTask(config: TaskConfig): ConfigProblem[] {
  const { cohort, deadlinesMs, noise } = config;
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
  whole('cohort.largestGroup', cohort.largestGroup, 2, LARGEST_GROUP);
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
  ask(
    'noise.multiplier',
    noise.multiplier >= 0 && noise.multiplier <= 1_000,
    `${noise.multiplier} is not from 0 to 1000`,
  );
  ask(
    'noise.metricMultiplier',
    noise.metricMultiplier >= 0 && noise.metricMultiplier <= 10_000,
    `${noise.metricMultiplier} is not from 0 to 10000`,
  );
  for (const [name, value] of Object.entries(deadlinesMs)) whole(`deadlinesMs.${name}`, value, 1, 3_600_000);
  if (config.protection === 'secure' && config.insecureSmallCohort !== true) {
    const least = SMALLEST_COHORTS[rules.mode];
    const below = `is below ${least}, the smallest cohort for ${rules.mode} secure aggregation (set insecureSmallCohort to override)`;
    const group = smallestGroup(cohort);
    ask(
      'cohort.largestGroup',
      cohort.smallest > cohort.planned || group >= Math.min(least, cohort.smallest),
      `groups of at most ${cohort.largestGroup} can leave ${group} members in one; at least ${least} are needed (${2 * least - 1} or more always fit)`,
    );
    ask('cohort.planned', cohort.planned >= least, `${cohort.planned} ${below}`);
    ask('cohort.smallest', cohort.smallest >= least, `${cohort.smallest} ${below}`);
    ask('cohort.largestGroup', cohort.largestGroup >= least, `${cohort.largestGroup} ${below}`);
  }
  const groups = Math.ceil(cohort.planned / cohort.largestGroup);
  ask(
    'combine',
    (config.combine ?? 'mean') === 'mean' || groups >= FEWEST_ROBUST_GROUPS,
    `${config.combine} over ${groups} groups; ${FEWEST_ROBUST_GROUPS} are needed (a cohort of ${cohort.planned} in groups of at most ${cohort.largestGroup})`,
  );
  ask(
    'noise.accounting',
    noise.accounting === undefined || (noise.multiplier > 0 && noise.metricMultiplier > 0),
    'needs noise on the delta and on the metric lanes: a lane without noise is not released while ε is counted',
  );
  ask(
    'rowCounts',
    config.rowCounts !== true || noise.accounting === undefined,
    'carry no noise, so they cannot be counted while ε is',
  );
  try {
    createStrategy(config.strategy);
  } catch (error) {
    problems.push({ path: 'strategy', problem: error instanceof Error ? error.message : String(error) });
  }
  return problems;
}

/** @throws {UsageError} with one line for each problem, prefixed with `tasks[name]`. */
export function checkTaskConfig(config: TaskConfig): void {
  const problems = problemsOfTask(config);
  if (problems.length > 0)
    throw new UsageError(
      problems.map(({ path, problem }) => `tasks[${config.name}].${path}: ${problem}`).join('\n'),
    );
}
