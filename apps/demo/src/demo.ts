import { memoryBlobs, memoryStore, type Coordination } from '@tutti/coordination';
import { dashboardFiles } from '@tutti/dashboard';
import { recommended, resolveModelConfig } from '@tutti/model';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, type CoordinatorConfigInput } from '@tutti/server';
import { makeShelf, type Film, type Shelf } from './films.ts';
import { headersFor, siteFiles } from './files.ts';
import { startPopulation } from './population.ts';
import { openSite } from './site.ts';

/** What a demo is opened with; every field has a default. */
export interface DemoOptions {
  /** Port of the page; the coordinator takes the one after it. 0: two free ones. Default 4180. */
  readonly port?: number;
  /** Devices in the background. Default 72. */
  readonly people?: number;
  /** Devices a round. Default 32. */
  readonly cohort?: number;
  /** How long a background device rests after a round, about, in milliseconds. Default 8000. */
  readonly restMs?: number;
  /** Ends opening. */
  readonly signal?: AbortSignal;
  /** Hears what is being done, in a few words. */
  readonly onStep?: (doing: string) => void;
}

/** A page, a coordinator and a population, running. */
export interface Demo {
  /** Address of the page. */
  readonly url: string;
  /** Address of the coordinator, with its dashboard. */
  readonly coordinatorUrl: string;
  readonly coordination: Coordination;
  readonly films: readonly Film[];
  readonly people: number;
  readonly cohort: number;
  /** Rejects if the population ends before it is told to. */
  readonly failed: Promise<never>;
  /** Lets rounds begin, as opening the page does. */
  begin(): void;
  /** Nothing is left then: everything was kept in memory. */
  close(): Promise<void>;
}

export const DEFAULTS = { port: 4_180, people: 72, cohort: 32, restMs: 8_000 } as const;

/** The task's name. */
const TASK = 'films';

/** A visitor who closes their tab in the middle of a round keeps the others no longer than this, in milliseconds. */
const DEADLINES = { trainMs: 10_000, shareKeysMs: 10_000, maskedInputMs: 10_000, unmaskMs: 10_000 };

/** How long a round waits for its whole cohort before it makes do with fewer, in milliseconds. */
const SELECTION_MS = 10_000;

/** A step four times the usual one: the shelf is small, and somebody watches. */
const LEARNING_RATE = 0.08;

/** Vectors enough for six genres. */
const DIMENSION = 16;

/**
 * Opens the demo.
 * @throws {SitePortTakenError} for the page's port, {PortTakenError} for the coordinator's.
 */
export async function openDemo(options: DemoOptions = {}): Promise<Demo> {
  const { port, people, cohort, restMs } = { ...DEFAULTS, ...options };
  const { signal, onStep } = options;
  const shelf = makeShelf(people);
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const coordinator = await createCoordinator({
      config: configOf(shelf, { port: port === 0 ? 0 : port + 1, cohort }),
      store: memoryStore(),
      blobs: memoryBlobs(nodeCrypto),
      pages: await dashboardFiles(),
    });
    closing.push(() => coordinator.close());
    const coordinatorUrl = (await coordinator.listen()).replace('127.0.0.1', 'localhost');
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    onStep?.('bundling the page');
    const site = await openSite({
      port,
      files: await siteFiles({ coordinator: coordinatorUrl, task: TASK, people, cohort, films: shelf.films }),
      headers: headersFor(coordinatorUrl),
      onOpened: begin,
    });
    closing.push(() => site.close());
    onStep?.(`opening ${people} devices`);
    const population = await startPopulation(
      { coordinator: coordinatorUrl, task: TASK, people, restMs },
      signal,
    );
    closing.push(population.stop);
    void begun.then(population.begin);
    const { coordination } = coordinator;
    return {
      url: site.url,
      coordinatorUrl,
      coordination,
      films: shelf.films,
      people,
      cohort,
      failed: population.failed,
      begin,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function configOf(
  { people }: Shelf,
  { port, cohort }: { readonly port: number; readonly cohort: number },
): CoordinatorConfigInput {
  const { ids, titles = [], genres = [] } = people.catalogue;
  const facts = { items: people.items, meanHistory: people.train.values.length / people.users };
  const model = { family: 'mf', dimension: DIMENSION } as const;
  return {
    listen: { host: '127.0.0.1', port },
    tasks: [
      {
        name: TASK,
        catalogue: { ids: [...ids], titles: [...titles], genres: genres.map((own) => [...own]) },
        meanHistory: facts.meanHistory,
        model,
        strategy: {
          ...recommended(resolveModelConfig(model, facts), facts).strategy,
          learningRate: LEARNING_RATE,
        },
        round: { cohort, overselection: 1, selectionMs: SELECTION_MS, deadlines: DEADLINES },
        // Secure aggregation, and the noise that is on unless another is asked for.
        privacy: { mechanism: 'skellam' },
      },
    ],
  };
}
