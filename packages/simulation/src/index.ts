/**
 * Many clients in one process, on the code of production: the coordination engine, the device engine and secure
 * aggregation, with worker threads in place of sockets and a virtual clock in place of waiting.
 *
 * ```ts
 * import { generateFilmShelf } from '@tutti/datasets';
 * import { simulate } from '@tutti/simulation';
 *
 * const run = await simulate({
 *   dataset: generateFilmShelf({ seed: 1, users: 64, items: 200 }),
 *   model: { family: 'mf', dimension: 16 },
 *   rounds: 5,
 *   cohort: 16,
 *   onRound: ({ round, hr10 }) => console.log(round, hr10),
 * });
 * console.log(run.final.sampled.hr10, run.baselines['popularity']?.sampled.hr10);
 * ```
 */
export { HostsFailedError, NoHostsError, OtherRuntimeError } from './remote/errors.ts';
export type { Jobs, Peers, SimulationHosts } from './remote/hosts.ts';
export { serveEvaluations } from './remote/serve-evaluations.ts';
export { serveShards } from './remote/serve-shards.ts';
export type { ServeOptions } from './remote/serve-shards.ts';
export { localData, openCheckpointScorer } from './evaluation/checkpoint-scorer.ts';
export type { CheckpointScorer } from './evaluation/checkpoint-scorer.ts';
export { openEvaluator } from './evaluation/evaluator.ts';
export type { CheckpointEvaluator, EvaluatorOptions, RankOptions } from './evaluation/evaluator.ts';
export { coldStartRandom } from './evaluation/measure-people.ts';
export { FITS } from './options.ts';
export type { Fit, SimulationOptions } from './options.ts';
export { partsOf } from './population.ts';
export { ratingErrors } from './quality.ts';
export { qualityOf, qualityOfMetrics } from './ranking.ts';
export type {
  Quality,
  QualityPair,
  QualityReport,
  RoundReport,
  SimulationProgress,
  SimulationResult,
} from './report.ts';
export { simulate } from './simulate.ts';
export { tune, tunedOptions } from './tune.ts';
export type { Settings, Tried, TuneOptions, Tuning } from './tune.ts';
export { MECHANISMS } from './privacy-options.ts';
export type { Mechanism, SimulationPrivacy } from './privacy-options.ts';
export type { PrivacyResult } from './report.ts';
