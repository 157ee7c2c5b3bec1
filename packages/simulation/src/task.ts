import { canonicalJson, utf8 } from '@tutti/base';
import type { StrategyConfig } from '@tutti/aggregation';
import type { Catalogue } from '@tutti/datasets';
import { chooseSlice, type TaskConfig } from '@tutti/coordination';
import { privateClippingNorm, privateStrategy, recommended, summingStrategy, type Model } from '@tutti/model';
import { SMALLEST_COHORTS } from '@tutti/secure-aggregation';
import { simulatedAuthority } from './identity.ts';
import type { ResolvedOptions, SimulationOptions } from './options.ts';
import { presentShare, privateTask } from './privacy.ts';
import { countsEpsilon } from './privacy-options.ts';

/** The one task of a simulation. */
export const TASK = 'simulation';

/** Virtual milliseconds that a phase may take; only silent clients ever use them up. */
const DEADLINES_MS = { train: 60_000, shareKeys: 60_000, maskedInput: 60_000, unmask: 60_000 };

/** Fields of the task that follow from an option of another name. */
const OPTION_OF: Readonly<Record<string, string>> = {
  'cohort.largestGroup': 'groupSize',
  'cohort.planned': 'cohort',
  'cohort.smallest': 'cohort',
  'noise.multiplier': 'noiseMultiplier',
};

/** What coordination says of the task, in the words of whoever asked for a simulation. */
export const inOptions = (problem: string): string =>
  problem
    .replaceAll(/tasks\[simulation\]\.([\w.]+)/g, (_, field: string) => OPTION_OF[field] ?? field)
    .replaceAll(' (set insecureSmallCohort to override)', '');

/**
 * The task that a simulation runs.
 * @throws {UsageError} where the privacy that is asked for cannot be had.
 */
export function taskConfig(
  options: SimulationOptions,
  resolved: ResolvedOptions,
  model: Model,
  meanHistory: number,
): TaskConfig {
  const { privacy = {} } = options;
  const facts = { items: model.items, meanHistory };
  const suited = recommended(model.config, facts);
  const counts = countsEpsilon(privacy);
  const correlated = privacy.mechanism === 'tree' || privacy.mechanism === 'banded';
  const { sliceRows = 'auto' } = options;
  const slice = chooseSlice(model.items, typeof sliceRows === 'number' ? { rows: sliceRows } : sliceRows);
  const least = SMALLEST_COHORTS[resolved.mode];
  const present = counts && privacy.poisson !== true ? presentShare(resolved) : 0;
  const task: TaskConfig = {
    name: TASK,
    model,
    ...catalogueOf(options.dataset.catalogue, model),
    strategy: strategyOf(options, correlated ? summingStrategy(model.config, facts) : suited.strategy),
    clippingNorm:
      options.clippingNorm ?? (counts ? privateClippingNorm(model.config, facts) : suited.clippingNorm),
    rounds: resolved.rounds,
    cohort: {
      planned: resolved.cohort,
      smallest: Math.min(resolved.cohort, Math.max(least, Math.ceil(present * resolved.cohort))),
      largestGroup: resolved.groupSize,
      overselection: 1,
    },
    insecureSmallCohort: resolved.protocol === 'plain',
    deadlinesMs: DEADLINES_MS,
    combine: resolved.combine,
    ...(options.graph === undefined ? {} : { graph: options.graph }),
    mode: resolved.mode,
    // Active mode asks for it; otherwise simulated devices need not be vouched for.
    ...(resolved.mode === 'active'
      ? {
          identity: {
            level: 'enrolled' as const,
            authority: simulatedAuthority(resolved.seed).publicKey,
          },
        }
      : {}),
    protection: resolved.protocol,
    wordBits: resolved.wordBits,
    noise: { multiplier: resolved.noiseMultiplier, metricMultiplier: 0 },
    seed: resolved.seed,
    keepCheckpoints: 2,
    ...(slice === undefined ? {} : { slice }),
  };
  const noisy = privateTask(task, privacy, { ...resolved, users: options.dataset.users });
  if (correlated) return noisy;
  const noiseStddev = (noisy.noise.multiplier * noisy.clippingNorm) / resolved.cohort;
  const quiet = counts
    ? privateStrategy(model.config, facts, noiseStddev)
    : recommended(model.config, facts, noiseStddev).strategy;
  return { ...noisy, strategy: strategyOf(options, quiet) };
}

/** What devices are told of the items: their ids, and where a model is made from what is said of them, that. */
function catalogueOf(
  { ids, titles, genres, vectors }: Catalogue,
  { config }: Model,
): Pick<TaskConfig, 'catalogue' | 'vectors'> {
  if (config.family !== 'content') return { catalogue: utf8(canonicalJson({ ids })) };
  const known = { ids, ...(titles && { titles }), ...(genres && { genres }) };
  return { catalogue: utf8(canonicalJson(known)), ...(vectors && { vectors }) };
}

/** The strategy that is asked for, with what suits where nothing else is said. */
function strategyOf(
  { strategyName, learningRate }: SimulationOptions,
  suited: StrategyConfig,
): StrategyConfig {
  return {
    ...(strategyName === undefined || strategyName === suited.name
      ? suited
      : { name: strategyName, weightDecay: suited.weightDecay ?? 0 }),
    ...(learningRate === undefined ? {} : { learningRate }),
  };
}
