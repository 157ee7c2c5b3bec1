import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StrategyConfig } from '@tutti/aggregation';
import { InternalError, seededRandom, UsageError, systemRandom, utf8 } from '@tutti/base';
import {
  createCoordination,
  LARGEST_LOSS,
  manualClock,
  memoryBlobs,
  memoryStore,
  type Blobs,
  type Coordination,
  type EvaluationRecord,
  type TaskConfig,
} from '@tutti/coordination';
import {
  beyondKernel,
  createModel,
  predictsRatings,
  PRIVATE_DIMENSION,
  resolveModelConfig,
  withProximalTerm,
  type ModelConfig,
  type ModelInput,
} from '@tutti/model';
import { SMALLEST_COHORTS } from '@tutti/secure-aggregation';
import { nodeCrypto, openUnmaskPool } from '@tutti/secure-aggregation/node';
import { rankEverybody, ratingErrors, referenceQualities } from './quality.ts';
import { qualityOf } from './ranking.ts';
import { openMailroom, type Mailroom } from './mailroom.ts';
import { resolveOptions, type ResolvedOptions, type SimulationOptions } from './options.ts';
import {
  meanRatingOf,
  sharePopulation,
  trainingRows,
  type Population,
  type SharedHeldOut,
} from './population.ts';
import type { DevicePool, FetchBlob } from './device-pool.ts';
import { openThreadPool } from './pool.ts';
import { openRemotePool } from './remote/remote-pool.ts';
import type { RoundReport, SimulationResult } from './report.ts';
import { roundReport, type AttemptEnd } from './round-report.ts';
import { inOptions, TASK, taskConfig } from './task.ts';
import { drawPeople, privacyResult } from './selection.ts';
import { simulatedId } from './identity.ts';
import type { ThreadSetup } from './thread.ts';

/** Rounds that may end without a result, one after another, before a simulation gives up. */
const MOST_FAILURES = 5;

/** Ratings whose mean is beyond it are on no scale that a model is made for. */
const LARGEST_MEAN_RATING = 1_000;

/** How long nothing may be on its way between attempts, nor any time to wait for, before nothing will be, in milliseconds. */
const STILL_MS = 2_000;

/**
 * Trains with a simulated population: the coordination, client and secure-aggregation code of production, with
 * threads in place of sockets and a virtual clock in place of waiting. Devices of plain attempts only train, clip, round and add.
 *
 * @returns figures that depend on the seed and options only, except `wallSeconds` and `clientsPerSecond`.
 * @throws {UsageError} naming every option outside its range.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const resolved = resolveOptions(options, availableParallelism());
  const population = sharePopulation(options.dataset, resolved.fit);
  const run = await openRun(options, resolved, population);
  const { model } = run.task;
  try {
    const started = performance.now();
    const rounds = await runRounds(run, options, resolved);
    const trainingSeconds = (performance.now() - started) / 1_000;
    const people = await rankEverybody(run.pool, population, run.modelHash(), options.onProgress);
    options.onRanked?.(people);
    const final = qualityOf(people, trainingRows(population));
    const baselines = referenceQualities(population, options.onProgress);
    const reported = rounds.reduce((sum, round) => sum + round.reported, 0);
    const perReport = (bytes: (round: RoundReport) => number): number =>
      reported === 0 ? 0 : Math.round(rounds.reduce((sum, round) => sum + bytes(round), 0) / reported);
    const { name, users, items, interactions } = options.dataset;
    return {
      model: { ...model.config },
      dataset: { name, users, items, interactions },
      protocol: resolved.protocol,
      fit: resolved.fit,
      strategy: { ...run.task.strategy, clippingNorm: run.task.clippingNorm },
      rounds,
      final,
      baselines,
      ...ratingErrors(people, population, model.config),
      bytes: {
        upPerClientRound: perReport((round) => round.upBytes),
        downPerClientRound: perReport((round) => round.downBytes),
      },
      clientsPerSecond: reported / trainingSeconds,
      wallSeconds: (performance.now() - started) / 1_000,
      seed: options.seed ?? 1,
      checkpointHash: run.modelHash(),
      backend: run.pool.backend,
      privacy: privacyResult(run.task, run.coordination.status(TASK)?.epsilon ?? null),
      notes: [...run.pool.notes, ...lossNotes(rounds), ...notesOf(run.task, population)],
    };
  } finally {
    await run.close();
  }
}

/** What a federation was made with, and how its last model ranks validation items. */
export interface Measurement {
  readonly model: ModelConfig;
  readonly strategy: StrategyConfig;
  /** Means over everybody who has a validation item, out of a secure sum. */
  readonly metrics: {
    readonly hr10: number | null;
    readonly ndcg10: number | null;
    readonly evaluated: number;
  };
}

/** Trains as {@link simulate} does, then has everybody measure their own validation item: what a coordinator can know of its model. */
export async function trainAndMeasure(options: SimulationOptions): Promise<Measurement> {
  const resolved = resolveOptions(options, availableParallelism());
  const population = sharePopulation(options.dataset, resolved.fit);
  const run = await openRun(options, resolved, population);
  try {
    await runRounds(run, options, resolved);
    const { metrics } = await evaluateEverybody(run, population.users, options);
    return { model: run.task.model.config, strategy: run.task.strategy, metrics };
  } finally {
    await run.close();
  }
}

/** Everybody's validation item, through a sum like that of a round. */
async function evaluateEverybody(
  { coordination, mailroom, clock }: Run,
  users: number,
  { signal }: SimulationOptions,
): Promise<EvaluationRecord> {
  await mailroom.checkIn(
    TASK,
    Array.from({ length: users }, (_, user) => user),
  );
  let over = false;
  const evaluation = coordination.evaluate(TASK).finally(() => (over = true));
  // Unhandled where waiting for it ends early.
  evaluation.catch(() => undefined);
  while (!over) {
    signal?.throwIfAborted();
    await mailroom.quiet(() => undefined);
    await nextTurn();
    if (!over && mailroom.idle()) clock.advanceToNext();
  }
  return evaluation;
}

/** Everything that a simulation holds open. */
interface Run {
  readonly task: TaskConfig;
  readonly pool: DevicePool;
  readonly coordination: Coordination;
  readonly mailroom: Mailroom;
  readonly clock: ReturnType<typeof manualClock>;
  readonly blobs: Blobs;
  modelHash(): string;
  close(): Promise<void>;
}

async function openRun(
  options: SimulationOptions,
  resolved: ResolvedOptions,
  population: Population,
): Promise<Run> {
  const meanHistory = (population.train.offsets.at(-1) as number) / population.users;
  const meanRating = meanRatingOf(population);
  const input = modelInput(options);
  if (predictsRatings(input) && meanRating === undefined)
    throw new UsageError('model.loss: mse is for ratings, and this data set holds none');
  if (predictsRatings(input) && Math.abs(meanRating ?? 0) > LARGEST_MEAN_RATING)
    throw new UsageError(
      `model.loss: mse is for ratings on a scale within ±${LARGEST_MEAN_RATING}; those of this data set have a mean of ${meanRating?.toPrecision(3)}`,
    );
  const model = createModel(
    resolveModelConfig(input, {
      items: population.items,
      meanHistory,
      ...(meanRating === undefined ? {} : { meanRating }),
    }),
    population.items,
  );
  refuseEngine(resolved, model.config);
  const task = taskConfig(options, resolved, model, meanHistory);
  const blobs = memoryBlobs(nodeCrypto);
  const clock = manualClock();
  const idOfUser = (user: number) => simulatedId(resolved.seed, user);
  const mailroom = openMailroom(population.users, model.layout.length, idOfUser);
  const unmasker = openUnmaskPool({ workers: resolved.workers });
  const coordination = await createCoordination({
    tasks: [task],
    store: memoryStore(),
    blobs,
    clock,
    random: systemRandom(),
    selection: seededRandom(resolved.seed).fork('selection'),
    noise: seededRandom(resolved.seed).fork('noise'),
    crypto: nodeCrypto,
    outbox: mailroom.outbox,
    sums: mailroom.sums,
    unmasker,
    traffic: mailroom.traffic,
    keyPair: nodeCrypto.signKeyPairFromSeed(nodeCrypto.digest('simulated coordinator', utf8(resolved.seed))),
  }).catch((error: unknown) => {
    throw error instanceof UsageError ? new UsageError(inOptions(error.message), { cause: error }) : error;
  });
  const info = coordination.taskInfo(TASK);
  if (info === undefined) throw new InternalError('the simulated task is missing');
  const setup: ThreadSetup = {
    population,
    model: model.config,
    ...definedIn(options.model),
    task: info,
    seed: resolved.seed,
    protocol: resolved.protocol,
    dropout: resolved.dropout,
    smallestCohort: Math.min(SMALLEST_COHORTS[resolved.mode], task.cohort.smallest, task.cohort.largestGroup),
    engine: resolved.engine,
    backend: resolved.backend,
  };
  const fetchBlob: FetchBlob = (hash) => blobs.get(hash);
  const { hosts } = options;
  const starting =
    hosts === undefined
      ? openThreadPool(resolved.workers, setup, fetchBlob)
      : openRemotePool(hosts, setup, fetchBlob);
  mailroom.introduce(drawPeople(task, resolved, population.users, 0));
  const pool = await starting;
  mailroom.start(pool, coordination);
  return {
    task,
    pool,
    coordination,
    mailroom,
    clock,
    blobs,
    modelHash: () => (coordination.taskInfo(TASK) ?? info).modelHash,
    close: async () => {
      await coordination.close();
      await unmasker.close();
      await pool.close();
    },
  };
}

/** @throws {UsageError} where the engine that is asked for by name does not train the model. */
function refuseEngine({ engine }: ResolvedOptions, config: ModelConfig): void {
  const beyond = beyondKernel(config);
  if (beyond === undefined || engine === 'auto' || engine === 'tfjs') return;
  throw new UsageError(
    `engine: ${beyond} trains in TensorFlow.js, and the engine ${engine} has no part in it; leave the engine out, or take tfjs`,
  );
}

/** Where threads find the code of an app's own model. @throws {UsageError} where it does not say. */
function definedIn(model: SimulationOptions['model']): { definedIn?: string } {
  if (!('config' in model)) return {};
  if (model.module === undefined)
    throw new UsageError(
      `model ${model.config.name}: threads import it; say where it is: defineModel({ module: import.meta.url, … })`,
    );
  return { definedIn: model.module };
}

function modelInput({ model: asked, strategyName, privacy, dataset }: SimulationOptions): ModelInput {
  const given = 'config' in asked ? asked.config : asked;
  const model = given.family === 'content' ? { ...vectorsIn(dataset), ...given } : given;
  if (strategyName === 'fedprox') return withProximalTerm(model);
  // Each coordinate carries its own noise: fewer of them leave more to see.
  const factorized = model.family === 'mf' || model.family === 'content';
  const narrow = factorized && privacy?.epsilon !== undefined && model.dimension === undefined;
  return narrow ? { ...model, dimension: PRIVATE_DIMENSION } : model;
}

/** A content model takes the vectors that there are, unless it says otherwise. */
const vectorsIn = ({ catalogue }: SimulationOptions['dataset']): { vectorLength: number } => ({
  vectorLength: catalogue.vectors?.find(({ length }) => length > 0)?.length ?? 0,
});

async function runRounds(
  run: Run,
  options: SimulationOptions,
  resolved: ResolvedOptions,
): Promise<RoundReport[]> {
  const reports: RoundReport[] = [];
  let failures = 0;
  for (let draw = 0; run.coordination.rounds(TASK).length < resolved.rounds; draw++) {
    options.signal?.throwIfAborted();
    for (const { event, seconds } of await runDraw(run, options, resolved, draw)) {
      const report = roundReport(event, seconds);
      failures = report.outcome === 'aborted' ? failures + 1 : 0;
      reports.push(report);
      options.onRound?.(report);
      await keepCheckpoint(run, options, resolved, report);
    }
    if (failures >= MOST_FAILURES) {
      throw new InternalError(
        `${failures} rounds in a row ended without a result: ${reports.at(-1)?.reason ?? 'no reason'}`,
      );
    }
  }
  return reports;
}

/**
 * Lets a draw's people check in, then delivers messages until no attempt is open; time passes only when nothing else can happen. More
 * than one attempt can end: where everybody checked in, those who were not asked are there for the next.
 */
async function runDraw(
  run: Run,
  options: SimulationOptions,
  resolved: ResolvedOptions,
  draw: number,
): Promise<{ event: AttemptEnd; seconds: number }[]> {
  const { coordination, mailroom, clock } = run;
  const ended: { event: AttemptEnd; seconds: number }[] = [];
  let since = performance.now();
  const unsubscribe = coordination.subscribe((event) => {
    if (event.type !== 'committed' && event.type !== 'aborted') return;
    const now = performance.now();
    ended.push({ event, seconds: (now - since) / 1_000 });
    since = now;
  });
  const phase = (): string => coordination.status(TASK)?.phase ?? '';
  const isOver = (): boolean => ended.length > 0 && (phase() === 'select' || phase() === 'finished');
  let stirred = performance.now();
  try {
    await mailroom.checkIn(TASK, drawPeople(run.task, resolved, options.dataset.users, draw));
    while (!isOver()) {
      options.signal?.throwIfAborted();
      await mailroom.quiet((share) => {
        const done = coordination.rounds(TASK).length;
        options.onProgress?.({ step: 'rounds', done, total: resolved.rounds, within: share, phase: phase() });
      });
      await nextTurn();
      const isStill = !isOver() && mailroom.idle() && !clock.advanceToNext() && phase() === 'select';
      if (!isStill) stirred = performance.now();
      else if (performance.now() - stirred > STILL_MS) throw standstill(run);
    }
    return ended;
  } finally {
    unsubscribe();
  }
}

/** Nobody is asked, and nothing will change that. */
function standstill({ coordination, task: { cohort } }: Run): UsageError {
  const { waiting = 0, round = 0 } = coordination.status(TASK) ?? {};
  return new UsageError(
    `round ${round + 1} cannot begin: ${waiting} people may be asked, and ${cohort.smallest} are needed. Others took part as often, or as lately, as they may: ask for fewer rounds, a smaller cohort, more participations or a smaller separation`,
  );
}

async function keepCheckpoint(
  run: Run,
  options: SimulationOptions,
  resolved: ResolvedOptions,
  report: RoundReport,
): Promise<void> {
  if (options.onCheckpoint === undefined || report.modelHash === null) return;
  if (report.round % resolved.checkpointEvery !== 0 && report.round !== resolved.rounds) return;
  const bytes = await run.blobs.get(report.modelHash);
  if (bytes !== undefined) await options.onCheckpoint(report.round, bytes);
}

/** What losses that cannot be told say of the training. */
function lossNotes(rounds: readonly RoundReport[]): string[] {
  const beyond = rounds.filter(({ loss }) => loss !== null && loss >= LARGEST_LOSS).length;
  if (beyond === 0) return [];
  return [
    `in ${beyond} of ${rounds.length} rounds every device told the largest loss there is, ${LARGEST_LOSS}: training gave larger ones, or nothing that is a finite number and so no update; a smaller learning rate may help`,
  ];
}

function notesOf({ noise, slice, model }: TaskConfig, population: Population): string[] {
  const certain = fitInTen(population.test);
  return [
    ...(slice === undefined
      ? []
      : [
          `slices of ${slice.rows} of ${model.items} rows, ${slice.head} of them head: a round’s HR and NDCG are among items of its slice`,
        ]),
    ...(certain === 0
      ? []
      : [
          `for ${certain} of ${population.users} people a list of 10 holds every candidate of their test item: HR@10 is 1 for them, whatever the model`,
        ]),
    ...(population.validation === undefined
      ? [
          'validation items are inside the training files, so rounds carry no HR and NDCG; --fit train-only holds them out',
        ]
      : []),
    noise.multiplier === 0
      ? 'no noise: the exact sum of embedding rows can give people away (docs/threat-model.md)'
      : `noise multiplier ${noise.multiplier.toPrecision(5)} on the sum`,
  ];
}

/** People who have a held-out item and so few candidates that a list of ten holds every one. */
const fitInTen = ({ positives, candidates: { offsets } }: SharedHeldOut): number =>
  positives.filter(
    (positive, user) => positive >= 0 && (offsets[user + 1] as number) - (offsets[user] as number) < 10,
  ).length;
