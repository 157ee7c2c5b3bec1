import { UsageError } from '@tutti/base';
import type { Combination, StrategyConfig } from '@tutti/aggregation';
import type { SplitDataset } from '@tutti/datasets';
import type { PersonRanking } from '@tutti/evaluation';
import type { EngineChoice } from '@tutti/engine-simd';
import { backendProblem } from '@tutti/engine-simd/node';
import { PRIVATE_ROUNDS, type BackendName, type ModelInput, type OwnModel } from '@tutti/model';
import {
  LARGEST_COMPLETE_GRAPH,
  LARGEST_GROUP,
  SMALLEST_COHORTS,
  type GraphRules,
  type Mode,
  type WordBits,
} from '@tutti/secure-aggregation';
import type { SimulationHosts } from './remote/hosts.ts';
import { countsEpsilon, type SimulationPrivacy } from './privacy-options.ts';
import type { RoundReport, SimulationProgress } from './report.ts';

/** Which interactions clients train on: what the files call train (validation item included where they include it), or all but validation and test. */
export const FITS = ['files', 'train-only'] as const;
export type Fit = (typeof FITS)[number];

/** What a simulation is asked for. */
export interface SimulationOptions {
  readonly dataset: SplitDataset;
  /** The model family and its fields, what is left out follows from the data; or an app's own model, which says its `module`. */
  readonly model: ModelInput | OwnModel;
  /** Server strategy; the model's recommendation when left out. */
  readonly strategyName?: StrategyConfig['name'];
  /** Server learning rate; the model's recommendation when left out. */
  readonly learningRate?: number;
  /** Updates to make. Default 50; 30 where an ε is asked for. */
  readonly rounds?: number;
  /** Clients a round. Default a tenth of the population, at least 16 (32 in active mode); everybody where an ε is asked for. */
  readonly cohort?: number;
  /** Equal seeds and options give equal figures, whatever the number of workers. Default 1. */
  readonly seed?: string | number;
  /** `plain` is the same integer pipeline without masks; in this process its devices exchange no messages either. Default `secure`. */
  readonly protocol?: 'plain' | 'secure';
  /** Clients that mask together at most; default 128. Above 128 a group's graph is sparse. */
  readonly groupSize?: number;
  /** What decides the graph of a group; the coordinator's own defaults when left out. */
  readonly graph?: Omit<GraphRules, 'mode'>;
  /** How the groups of a round become one update; default `mean`. */
  readonly combine?: Combination;
  /** `active` has the survivors signed before anyone unmasks; default `semi-honest`. */
  readonly mode?: Mode;
  /** Bits of a word of a masked vector; default `auto`: 24 where there is noise and they cost nothing, 32 otherwise. */
  readonly wordBits?: WordBits | 'auto';
  /** L2 norm that each model delta is scaled down to; default from the model. */
  readonly clippingNorm?: number;
  /**
   * How a wide catalogue travels: in public slices of so many rows, half of them head; `auto` slices above 16,384 items, `off` never.
   * Default `auto`.
   */
  readonly sliceRows?: number | 'auto' | 'off';
  /** Standard deviation of the noise of the sum, over the clipping norm; default 0. */
  readonly noiseMultiplier?: number;
  /** What is guaranteed, and how noise gets onto the sum; default no guarantee, by the devices. */
  readonly privacy?: SimulationPrivacy;
  /** Chance that a selected client falls silent in a round, at a phase drawn evenly; default 0. */
  readonly dropout?: number;
  /** See {@link Fit}; default `files`. */
  readonly fit?: Fit;
  /** Worker threads; default the number of cores. */
  readonly workers?: number;
  /** Where the devices live, when not in threads of this process; figures do not depend on it. */
  readonly hosts?: SimulationHosts;
  /** What trains; default `auto`: the kernel, unless an accelerator is faster. */
  readonly engine?: EngineChoice;
  /** A backend of TensorFlow.js; one that is named here trains, unless `engine` says otherwise. */
  readonly backend?: BackendName | 'auto';
  /** Called after each committed or aborted round. */
  readonly onRound?: (report: RoundReport) => void;
  /** Called often, for progress bars. */
  readonly onProgress?: (progress: SimulationProgress) => void;
  /** Called once with how everybody was ranked for with the last model: for intervals, groups and measures of one's own. */
  readonly onRanked?: (people: readonly PersonRanking[]) => void;
  /** Called with each checkpoint that is to be kept: every `checkpointEvery` rounds and the last. */
  readonly onCheckpoint?: (round: number, bytes: Uint8Array) => void | Promise<void>;
  readonly checkpointEvery?: number;
  readonly signal?: AbortSignal;
}

/** Updates where no other number is asked for. */
export const DEFAULT_ROUNDS = 50;

/** Options with every default filled in and every range checked. */
export interface ResolvedOptions {
  readonly rounds: number;
  readonly cohort: number;
  readonly seed: string;
  readonly protocol: 'plain' | 'secure';
  readonly groupSize: number;
  readonly combine: Combination;
  readonly mode: Mode;
  readonly wordBits: WordBits | 'auto';
  readonly noiseMultiplier: number;
  readonly dropout: number;
  readonly fit: Fit;
  readonly workers: number;
  readonly engine: EngineChoice;
  readonly backend: BackendName | 'auto';
  readonly checkpointEvery: number;
}

/**
 * Fills in defaults.
 * @throws {UsageError} naming every option outside its range, with the range.
 */
export function resolveOptions(options: SimulationOptions, cores: number): ResolvedOptions {
  const { users } = options.dataset;
  const { mode = 'semi-honest', protocol = 'secure' } = options;
  const least = SMALLEST_COHORTS[mode];
  // Noise is over the sum: the more are in it, and the fewer rounds there are, the less of it is left in the mean.
  const guaranteed = options.privacy?.epsilon !== undefined;
  const tenth = Math.min(users, Math.max(least, Math.round(users / 10)));
  const cohort = options.cohort ?? (guaranteed ? users : tenth);
  const largestGroup = protocol === 'plain' ? users : LARGEST_GROUP;
  const resolved: ResolvedOptions = {
    rounds: options.rounds ?? (guaranteed ? PRIVATE_ROUNDS : DEFAULT_ROUNDS),
    cohort,
    seed: String(options.seed ?? 1),
    protocol,
    groupSize: options.groupSize ?? suitedGroup(options, cohort, largestGroup),
    combine: options.combine ?? 'mean',
    mode,
    wordBits: options.wordBits ?? 'auto',
    noiseMultiplier: options.noiseMultiplier ?? 0,
    dropout: options.dropout ?? 0,
    fit: options.fit ?? 'files',
    workers: options.workers ?? cores,
    engine: options.engine ?? 'auto',
    backend: options.backend ?? 'auto',
    checkpointEvery: options.checkpointEvery ?? 25,
  };
  const problems = [
    integerProblem('rounds', resolved.rounds, 1, 1_000_000),
    resolved.cohort > users
      ? `cohort: ${resolved.cohort} are asked for; the data set has ${users} people`
      : integerProblem('cohort', resolved.cohort, 1, users),
    integerProblem('groupSize', resolved.groupSize, 2, Math.max(LARGEST_GROUP, largestGroup)),
    typeof options.sliceRows === 'number'
      ? integerProblem('sliceRows', options.sliceRows, 1, options.dataset.items)
      : undefined,
    integerProblem('workers', resolved.workers, 1, 256),
    integerProblem('checkpointEvery', resolved.checkpointEvery, 1, 1_000_000),
    rangeProblem('noiseMultiplier', resolved.noiseMultiplier, 0, 1_000),
    rangeProblem('dropout', resolved.dropout, 0, 0.9),
    ...(resolved.protocol === 'secure' && resolved.cohort < least
      ? [`cohort: ${resolved.cohort} is below ${least}, the smallest cohort that masks protect`]
      : []),
    backendProblem(resolved.engine, resolved.backend),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return resolved;
}

/**
 * Every group carries its own noise, for the coordinator sees its sum: where ε is counted groups are as large as they may be. A
 * Poisson sample may be larger than its mean.
 */
function suitedGroup({ privacy = {} }: SimulationOptions, cohort: number, largestGroup: number): number {
  if (!countsEpsilon(privacy)) return LARGEST_COMPLETE_GRAPH;
  return Math.min(largestGroup, Math.max(2, privacy.poisson === true ? 2 * cohort : cohort));
}

function integerProblem(name: string, value: number, least: number, most: number): string | undefined {
  if (Number.isInteger(value) && value >= least && value <= most) return undefined;
  return `${name}: ${value} is not a whole number from ${least} to ${most}`;
}

function rangeProblem(name: string, value: number, least: number, most: number): string | undefined {
  if (value >= least && value <= most) return undefined;
  return `${name}: ${value} is not from ${least} to ${most}`;
}
