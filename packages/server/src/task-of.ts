import { canonicalJson, fromHex, toHex, UsageError, utf8 } from '@tutti/base';
import type { StrategyConfig } from '@tutti/aggregation';
import { chooseSlice, problemsOfTask, type IdentityConfig, type TaskConfig } from '@tutti/coordination';
import { LogMirror } from '@tutti/identity';
import {
  createModel,
  privateClippingNorm,
  privateStrategy,
  recommended,
  resolveModelConfig,
  summingStrategy,
  withProximalTerm,
  type DataFacts,
  type Model,
  type ModelConfig,
  type ModelInput,
} from '@tutti/model';
import { SMALLEST_COHORTS } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { countsEpsilon, isCorrelated, withPrivacy } from './privacy-config.ts';
import type { TaskEntry } from './task-schema.ts';

/** What is wrong with a value, and where it stands. */
export interface Problem {
  readonly path: string;
  readonly problem: string;
}

/** Mirrors of authorities' logs, by key and address: tasks that ask for the same log share its mirror. */
export type Mirrors = Map<string, LogMirror>;

/** A task for the engine, or why there is none; paths are those of the task. */
export interface MadeTask {
  readonly task?: TaskConfig;
  readonly problems: readonly Problem[];
}

/** One task for the engine, and what does not fit together in it: everything, unless no task can be made of it. */
export function makeTask(entry: TaskEntry, mirrors: Mirrors): MadeTask {
  try {
    const task = identified(taskOf(entry), identityOf(entry, mirrors));
    const problems = problemsOfTask(task).map(({ path, problem }) => ({ path: configPath(path), problem }));
    return { task, problems };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const problems = error.message.split('\n').map((line) => {
      const [path = '', ...rest] = line.split(': ');
      return { path, problem: rest.join(': ') };
    });
    return { problems };
  }
}

/** A task, and the one that follows from its census, with how sure its clients can be of each other. */
function identified({ census, ...task }: TaskConfig, identity: IdentityConfig): TaskConfig {
  return {
    ...{ ...task, identity },
    ...(census === undefined ? {} : { census: (counted: number) => identified(census(counted), identity) }),
  };
}

function identityOf({ identity }: TaskEntry, mirrors: Mirrors): IdentityConfig {
  if (identity.level !== 'transparent') return identity;
  const { level, authority, url } = identity;
  const name = `${authority} ${url}`;
  const log = mirrors.get(name) ?? new LogMirror(fromHex(authority), nodeCrypto);
  mirrors.set(name, log);
  return { level, authority, log };
}

/** Where the engine's fields stand in the file. */
const configPath = (path: string): string =>
  path
    .replace(/^cohort\.planned$/, 'round.cohort')
    .replace(/^cohort\.smallest$/, 'round.smallestCohort')
    .replace(/^cohort\./, 'round.')
    .replace(/^(combine$|graph\.|wordBits)/, 'round.$1')
    .replace(/^slice\./, 'round.slice.')
    .replace(/^poisson(\.population)?$/, 'round.poissonPopulation')
    .replace(/^noise\.accounting\.dpDelta$/, 'privacy.delta')
    .replace(/^noise\.accounting\.epsilonBudget$/, 'privacy.epsilon')
    .replace(/^noise\.accounting\.against$/, 'privacy.against')
    .replace(/^noise\.multiplier$/, 'privacy.noiseMultiplier')
    .replace(/^noise\.metricMultiplier$/, 'privacy.metricNoiseMultiplier')
    .replace(/^noise\.accounting$/, 'privacy')
    .replace(/^noise\./, 'privacy.')
    .replace(/^promotion/, 'registry.policy');

/** Mean interactions a person as long as nothing is known of them. */
const UNKNOWN_HISTORY = 50;

/** Nothing of an app's own model follows from it; where ε is counted, a sum of histories would cost a part of the budget. */
const isCountedByDefault = ({ privacy, model }: TaskEntry): boolean =>
  !countsEpsilon(privacy) && model.family !== 'own';

function taskOf(entry: TaskEntry): TaskConfig {
  const { meanHistory = isCountedByDefault(entry) ? 'counted' : UNKNOWN_HISTORY } = entry;
  if (meanHistory !== 'counted') return taskFor(entry, meanHistory);
  const census: TaskConfig['census'] = (counted) => {
    const { census: _, ...task } = taskFor(entry, counted, census);
    return task;
  };
  return taskFor(entry, UNKNOWN_HISTORY, census);
}

/** @param census how the task goes on, where it begins with a census: a privacy budget has to pay for it too. */
function taskFor(entry: TaskEntry, meanHistory: number, census?: TaskConfig['census']): TaskConfig {
  const { round, privacy } = entry;
  const items = entry.catalogue.ids.length;
  const facts = { items, meanHistory };
  const family = entry.model.family === 'embedding-mlp' ? 'mlp' : entry.model.family;
  const input = { ...vectorsIn(entry), ...entry.model, family } as ModelInput;
  const config = resolveModelConfig(
    entry.strategy?.name === 'fedprox' ? withProximalTerm(input) : input,
    facts,
  );
  const task = {
    ...plainTask(entry, createModel(config, items), strategyOf(entry, config, facts)),
    ...(census === undefined ? {} : { census }),
  };
  const noisy = withPrivacy(task, privacy);
  if (entry.strategy !== undefined || isCorrelated(privacy)) return noisy;
  const noiseStddev = (noisy.noise.multiplier * noisy.clippingNorm) / round.cohort;
  const strategy = countsEpsilon(privacy)
    ? privateStrategy(config, facts, noiseStddev)
    : recommended(config, facts, noiseStddev).strategy;
  return { ...noisy, strategy };
}

/** A content model takes the vectors that there are, unless it says otherwise. */
function vectorsIn({ model, catalogue }: TaskEntry): { vectorLength?: number } {
  if (model.family !== 'content') return {};
  return { vectorLength: catalogue.vectors?.find(({ length }) => length > 0)?.length ?? 0 };
}

/** What suits a model where the file says nothing else: strategy and clipping norm. */
function strategyOf(
  { strategy, clippingNorm, privacy }: TaskEntry,
  config: ModelConfig,
  facts: DataFacts,
): Pick<TaskConfig, 'strategy' | 'clippingNorm'> {
  const suited = recommended(config, facts);
  return {
    strategy: (strategy ??
      (isCorrelated(privacy) ? summingStrategy(config, facts) : suited.strategy)) as StrategyConfig,
    clippingNorm:
      clippingNorm ?? (countsEpsilon(privacy) ? privateClippingNorm(config, facts) : suited.clippingNorm),
  };
}

/** The task without its noise. */
function plainTask(
  entry: TaskEntry,
  model: Model,
  suited: Pick<TaskConfig, 'strategy' | 'clippingNorm'>,
): TaskConfig {
  const { round } = entry;
  const slice = chooseSlice(model.items, round.slice);
  return {
    name: entry.name,
    model,
    ...catalogueOf(entry.catalogue),
    ...suited,
    rounds: entry.rounds,
    cohort: {
      planned: round.cohort,
      smallest:
        round.smallestCohort ??
        Math.min(round.cohort, Math.max(SMALLEST_COHORTS[round.mode], Math.ceil(round.cohort / 2))),
      largestGroup: round.largestGroup,
      overselection: round.overselection,
    },
    deadlinesMs: {
      train: round.deadlines.trainMs,
      revealNonces: round.deadlines.revealNoncesMs,
      shareKeys: round.deadlines.shareKeysMs,
      maskedInput: round.deadlines.maskedInputMs,
      survivors: round.deadlines.survivorsMs,
      unmask: round.deadlines.unmaskMs,
    },
    combine: round.combine,
    mode: round.mode,
    graph: round.graph,
    protection: entry.insecurePlain ? 'plain' : 'secure',
    wordBits: round.wordBits,
    noise: { multiplier: 0, metricMultiplier: 0 },
    metrics: entry.metrics,
    seed: entry.seed,
    keepCheckpoints: entry.keepCheckpoints,
    insecureSmallCohort: entry.insecureSmallCohort,
    ...(slice === undefined ? {} : { slice }),
    ...promotionOf(entry),
    ...(round.selectionMs === undefined ? {} : { selectionMs: round.selectionMs }),
    ...(entry.adaptiveClipping === undefined ? {} : { adaptiveClipping: entry.adaptiveClipping }),
    ...(round.poissonPopulation === undefined ? {} : { poisson: { population: round.poissonPopulation } }),
  };
}

function promotionOf({ registry: { policy } }: TaskEntry): Pick<TaskConfig, 'promotion'> {
  if (policy.mode === 'manual') return {};
  const { mode: _, ...promotion } = policy;
  return { promotion };
}

/** What everybody may know of the items, and the vectors, of which everybody is told their digest alone. */
function catalogueOf({
  vectors,
  ...known
}: TaskEntry['catalogue']): Pick<TaskConfig, 'catalogue' | 'vectors'> {
  if (vectors === undefined) return { catalogue: utf8(canonicalJson(known)) };
  const vectorsHash = toHex(nodeCrypto.digest('vectors', utf8(canonicalJson(vectors))));
  return { catalogue: utf8(canonicalJson({ ...known, vectorsHash })), vectors };
}
