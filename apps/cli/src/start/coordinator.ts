import type { SplitDataset } from '@tutti/datasets';
import type { CoordinationEvent, RoundRecord, TaskStatus } from '@tutti/coordination';
import { dashboardFiles } from '@tutti/dashboard';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, PortTakenError, type CoordinatorConfigInput } from '@tutti/server';
import { openLmdbStorage } from '@tutti/storage-lmdb';
import { CommandError, EXIT } from '../exit-codes.ts';
import type { StartSettings } from './settings.ts';

/** The coordinator of the main job, and what the job asks of it. */
export interface OpenedCoordinator {
  readonly url: string;
  readonly task: string;
  /** Rounds that were asked for. */
  readonly target: number;
  /** Lines that say what runs, and what protects it. */
  readonly introduction: readonly string[];
  roundsDone(): number;
  /** Whether its privacy budget allows no further round. */
  isSpent(): boolean;
  rounds(): readonly RoundRecord[];
  modelHash(): string;
  doing(): { readonly doing: string; readonly within: number };
  subscribe(listener: (event: CoordinationEvent) => void): () => void;
  /** HR@10 and NDCG@10 over everybody who is connected, through a secure sum. */
  evaluate(): Promise<{ hr10: number; ndcg10: number }>;
  close(): Promise<void>;
}

/** The task's name. */
const TASK = 'films';

/** Part of a cohort that has to stay where a guarantee is asked for: its noise is meant for so many. */
const PRESENT_SHARE = 0.9;

/** The measurement of everybody at the end. */
const EVALUATIONS = 1;

/** Vectors of the built-in job: enough for a small shelf, and small on the wire. */
const DIMENSION = 16;

/** Deadlines of a job on one machine. */
const DEADLINES = { trainMs: 60_000, shareKeysMs: 20_000, maskedInputMs: 30_000, unmaskMs: 20_000 };

/** Opens the coordinator of the main job on its embedded store, and lets it listen. */
export async function openCoordinator(options: {
  folder: string;
  port: number;
  data: SplitDataset;
  people: number;
  settings: StartSettings;
  rounds: number;
}): Promise<OpenedCoordinator> {
  const { folder, settings, rounds } = options;
  const storage = await openLmdbStorage(folder, nodeCrypto);
  try {
    const server = await createCoordinator({
      config: configOf(options),
      store: storage.store,
      blobs: storage.blobs,
      pages: await dashboardFiles(),
    });
    const { coordination } = server;
    const url = (await server.listen().catch(portTaken)).replace('127.0.0.1', 'localhost');
    const status = () => coordination.status(TASK);
    return {
      url,
      task: TASK,
      target: rounds,
      introduction: introductionOf(settings, status()?.noise, coordination.taskInfo(TASK)?.model ?? {}),
      roundsDone: () => status()?.round ?? 0,
      isSpent: () => status()?.phase === 'budget-spent',
      rounds: () => coordination.rounds(TASK),
      modelHash: () => status()?.modelHash ?? '',
      doing() {
        const now = status();
        const { done, total } = now?.progress ?? { done: 0, total: 0 };
        const phases = ['train', 'share-keys', 'masked-input', 'unmask'];
        const place = Math.max(0, phases.indexOf(now?.phase ?? ''));
        return {
          doing: `${now?.phase ?? ''} ${done}/${total}`,
          within: (place + (total === 0 ? 0 : done / total)) / (phases.length + 1),
        };
      },
      subscribe: (listener) => coordination.subscribe(listener),
      async evaluate() {
        const { metrics } = await coordination.evaluate(TASK);
        return { hr10: metrics.hr10 ?? 0, ndcg10: metrics.ndcg10 ?? 0 };
      },
      async close() {
        await server.close();
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

function portTaken(error: unknown): never {
  if (error instanceof PortTakenError)
    throw new CommandError(
      `Port ${error.port} is taken. Use --port ${error.port + 1}, or stop the other coordinator.`,
      EXIT.failed,
      { cause: error },
    );
  throw error;
}

function configOf(options: {
  port: number;
  data: SplitDataset;
  people: number;
  settings: StartSettings;
  rounds: number;
}): CoordinatorConfigInput {
  const { port, data, people, settings, rounds } = options;
  const { ids, titles, genres } = data.catalogue;
  const history = ((data.train.offsets[people] as number) - (data.train.offsets[0] as number)) / people;
  return {
    listen: { host: '127.0.0.1', port },
    tasks: [
      {
        name: TASK,
        catalogue: {
          ids: [...ids],
          ...(titles === undefined ? {} : { titles: [...titles] }),
          ...(genres === undefined ? {} : { genres: genres.map((own) => [...own]) }),
        },
        meanHistory: history,
        model: { family: settings.model, dimension: DIMENSION },
        rounds,
        round: {
          cohort: settings.cohort,
          // The noise is that of the smallest sum there can be: the nearer that is to the whole, the less of it there is.
          smallestCohort: Math.max(
            16,
            Math.ceil(settings.cohort * (settings.epsilon === null ? 0.75 : PRESENT_SHARE)),
          ),
          overselection: 1,
          selectionMs: 5_000,
          deadlines: DEADLINES,
        },
        privacy: privacyOf(settings, rounds),
        ...(settings.adaptiveClip === null ? {} : { adaptiveClipping: { quantile: settings.adaptiveClip } }),
        seed: String(settings.seed),
      },
    ],
  };
}

function privacyOf(
  { epsilon, delta, mechanism, noiseMultiplier }: StartSettings,
  rounds: number,
): CoordinatorConfigInput['tasks'][number]['privacy'] {
  if (epsilon !== null && delta !== null)
    return {
      ...{ mechanism, epsilon, delta },
      ...{ budgetRounds: rounds, budgetEvaluations: EVALUATIONS, survivorShare: PRESENT_SHARE },
    };
  return noiseMultiplier === 0 ? { mechanism: 'none' } : { mechanism: 'skellam', noiseMultiplier };
}

function introductionOf(
  settings: StartSettings,
  planned: TaskStatus['noise'] | undefined,
  model: Readonly<Record<string, unknown>>,
): string[] {
  const family =
    settings.model === 'mf'
      ? 'implicit matrix factorisation'
      : settings.model === 'content'
        ? 'matrix factorisation over what is said of the items'
        : `embedding-MLP ${String(model['hidden'])}`;
  const noise =
    settings.epsilon !== null
      ? `${settings.mechanism} noise for ε = ${settings.epsilon}, δ = ${String(settings.delta)} (multiplier ${(planned?.multiplier ?? 0).toFixed(2)})`
      : settings.noiseMultiplier > 0
        ? `noise ${(100 * settings.noiseMultiplier).toFixed(0)} % of the clipping norm, so that the sum gives no one away (--epsilon 8 asks for a guarantee)`
        : 'no noise: a coordinator can regroup the rows of the exact sum by person (docs/threat-model.md)';
  return [
    `model: ${family}, vectors of ${String(model['dimension'])}; each person's own vector stays on their device`,
    `privacy: secure aggregation, semi-honest, cohorts of ${settings.cohort}, threshold ${Math.floor((2 * (settings.cohort - 1)) / 3) + 1} · ${noise}`,
  ];
}
