import { centralQuality } from './central.ts';
import type { SplitDataset } from '@tutti/datasets';
import { popularity, itemKnn, rankHeldOut, hitRate, ndcg } from '@tutti/evaluation';
import type { CoordinationEvent, RoundRecord } from '@tutti/coordination';
import type { OpenedCoordinator } from './coordinator.ts';
import type { PopulationProcesses } from './processes.ts';
import type { StartSettings } from './settings.ts';
import type { Screen } from '../ui/screen.ts';
import { cellsLine, headingLine } from '../ui/table.ts';
import { roundColumns, roundCells } from '../ui/rounds.ts';
import { reportOf } from './round-line.ts';

/** HR@10 and NDCG@10 among the sampled candidates. */
export interface SampledQuality {
  readonly hr10: number;
  readonly ndcg10: number;
}

/** One person's list, for the last page. */
export interface PersonList {
  readonly person: string;
  readonly liked: readonly string[];
  readonly recommended: readonly string[];
  /** For each of them the own film that speaks for it most; null where none does. */
  readonly because: readonly (string | null)[];
}

/** What the main job ends with. */
export interface FederationResult {
  readonly model: string;
  readonly people: number;
  readonly rounds: readonly RoundRecord[];
  readonly methods: Readonly<Record<string, SampledQuality>>;
  readonly lists: readonly PersonList[];
  readonly bytes: { readonly up: number; readonly down: number };
  readonly uploads: number;
  readonly seed: number;
  readonly modelHash: string;
  readonly seconds: number;
}

/** What a federation is run with. */
export interface Federation {
  readonly coordinator: OpenedCoordinator;
  readonly population: PopulationProcesses;
  readonly data: SplitDataset;
  readonly people: number;
  readonly settings: StartSettings;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

/** Films that stand for what somebody likes. */
const SHOWN_LIKES = 3;

/** People whose lists are shown at the end. */
const SHOWN_PEOPLE = 3;

/** Steps after the last round. */
const MEASURING = 'measuring everybody through a secure sum';
const COMPARING = 'training the same model centrally, to compare';

/** Items a list holds. */
const LIST_LENGTH = 10;

/** Waits for the rounds, showing each; then measures everybody through one secure evaluation, and compares. */
export async function runFederation(federation: Federation): Promise<FederationResult> {
  const started = performance.now();
  await watchRounds(federation);
  federation.signal.throwIfAborted();
  const { coordinator, screen, data, people, settings, signal } = federation;
  screen.progress(0, 1, MEASURING);
  screen.step(MEASURING);
  const evaluation = await coordinator.evaluate();
  screen.progress(1, 2, COMPARING);
  screen.step(COMPARING);
  const methods = {
    popularity: sampledQuality(
      data,
      people,
      popularity({ ...data.train, users: data.users, items: data.items }),
    ),
    'item-kNN': sampledQuality(
      data,
      people,
      itemKnn({ ...data.train, users: data.users, items: data.items }),
    ),
    'this federation': evaluation,
    'trained centrally': await centralQuality(data, people, settings, signal, (share) =>
      screen.progress(1 + share, 2, COMPARING),
    ),
  };
  screen.progress(1, 1, 'asking three clients for their lists');
  const lists = await personLists(federation);
  screen.finish();
  const rounds = coordinator.rounds();
  return {
    model: settings.model,
    people,
    rounds,
    methods,
    lists,
    bytes: { up: sum(rounds, (round) => round.upBytes), down: sum(rounds, (round) => round.downBytes) },
    uploads: sum(rounds, (round) => round.reported),
    seed: settings.seed,
    modelHash: coordinator.modelHash(),
    seconds: (performance.now() - started) / 1_000,
  };
}

const sum = <T>(values: readonly T[], of: (value: T) => number): number =>
  values.reduce((total, value) => total + of(value), 0);

async function watchRounds({ coordinator, screen, signal }: Federation): Promise<void> {
  const columns = roundColumns();
  screen.line(headingLine(columns));
  if (coordinator.roundsDone() >= coordinator.target || coordinator.isSpent()) return;
  await new Promise<void>((resolve, reject) => {
    const stop = coordinator.subscribe((event: CoordinationEvent) => {
      if (event.type === 'failed' && event.fatal) {
        stop();
        reject(event.error);
        return;
      }
      if (event.type === 'committed' || event.type === 'aborted')
        screen.line(cellsLine(columns, roundCells(reportOf(event))));
      const done = coordinator.roundsDone();
      const { doing, within } = coordinator.doing();
      screen.progress(
        done + within,
        coordinator.target,
        `${Math.min(done + 1, coordinator.target)}/${coordinator.target} ${doing}`,
      );
      if (done >= coordinator.target || event.type === 'finished') {
        stop();
        resolve();
      }
    });
    signal.addEventListener('abort', () => {
      stop();
      reject(signal.reason instanceof Error ? signal.reason : new Error('interrupted'));
    });
  });
}

function sampledQuality(
  data: SplitDataset,
  people: number,
  method: { score(user: number): Float32Array },
): SampledQuality {
  let hits = 0;
  let gains = 0;
  let measured = 0;
  for (let user = 0; user < people; user++) {
    const positive = data.test.positives[user] as number;
    if (positive < 0) continue;
    const rank = rankHeldOut({
      scores: method.score(user),
      positive,
      negatives: data.test.negatives[user] as Int32Array,
    });
    hits += hitRate(rank, LIST_LENGTH);
    gains += ndcg(rank, LIST_LENGTH);
    measured++;
  }
  return { hr10: hits / Math.max(1, measured), ndcg10: gains / Math.max(1, measured) };
}

async function personLists({ population, data, people }: Federation): Promise<PersonList[]> {
  const title = new Map(data.catalogue.ids.map((id, index) => [id, data.catalogue.titles?.[index] ?? id]));
  const shown = Array.from({ length: Math.min(SHOWN_PEOPLE, people) }, (_, index) => index);
  return Promise.all(
    shown.map(async (user) => {
      const list = await population.recommend(user, LIST_LENGTH);
      return {
        person: data.userNames?.[user] ?? `person ${user}`,
        liked: Array.from(
          data.train.values.subarray(
            data.train.offsets[user],
            (data.train.offsets[user] as number) + SHOWN_LIKES,
          ),
          (item) => data.catalogue.titles?.[item] ?? (data.catalogue.ids[item] as string),
        ),
        recommended: list.map(({ item }) => title.get(item) ?? item),
        because: list.map(({ because }) => (because === undefined ? null : (title.get(because) ?? because))),
      };
    }),
  );
}
