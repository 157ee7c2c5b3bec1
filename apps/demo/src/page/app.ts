import { openRecommender, type BrowserRecommender } from '@tutti/client-browser';
import type { Setting } from './setting.ts';
import { LIST, type DemoEvent, type Part } from './state.ts';

/** What a person can do. */
export interface App {
  like(item: string, on: boolean): void;
  setConsent(on: boolean): void;
  forget(): Promise<void>;
  /** A round was committed: its model is fetched, and lists are made with it. */
  committed(round: number): void;
  /** The recommender that is open now. */
  recommender(): BrowserRecommender | undefined;
}

/** Likes that have a shelf of their own, the latest, and how long that is. */
const OWN_SHELVES = 2;
const SHELF = 10;

/** How long a film that was just liked stays where it is, so that its person sees what they did, in milliseconds. */
const LINGER_MS = 600;

/** A visitor has few likes, and all of them train: how good the model is, is measured by the others. */
const NOTHING_HELD_OUT = { item: 'none', candidates: [] } as const;

/** Everybody's taste weighs as much as half a like: a list is soon its person's own. */
const POPULARITY = 0.5;

/** A visitor waits no longer than this to come back after a lost connection, in milliseconds. */
const BACK_OFF = { firstMs: 300, mostMs: 3_000 } as const;

const STEPS: readonly Part['step'][] = ['describe', 'roster', 'relay-shares', 'survivors'];

/** Opens the person's recommender, and tells what happens. @param round rounds that are done so far. */
export async function openApp(
  setting: Setting,
  round: () => number,
  happen: (event: DemoEvent) => void,
): Promise<App> {
  let tutti: BrowserRecommender | undefined;
  let likes: string[] = [];
  const warn = (error: unknown): void =>
    happen({ type: 'warning', message: error instanceof Error ? error.message : String(error) });

  async function open(): Promise<BrowserRecommender> {
    const opened = await openRecommender({
      coordinator: setting.coordinator,
      task: setting.task,
      worker: () => new Worker('/worker.js', { type: 'module', name: 'tutti' }),
      heldOut: NOTHING_HELD_OUT,
      // Training takes milliseconds in a worker: there is no need to wait until nobody touches the page.
      eligibility: { idleMs: 0 },
      backOff: BACK_OFF,
      onWarning: ({ message }) => happen({ type: 'warning', message }),
    });
    listen(opened, happen);
    return opened;
  }

  /** The demo was started anew, with another key: what is liked moves to it, consent has to be given again. */
  async function moved(old: BrowserRecommender): Promise<BrowserRecommender> {
    const history = await old.history();
    await old.forget();
    const opened = await open();
    await opened.record(history);
    return opened;
  }

  async function begin(): Promise<void> {
    const opened = await open();
    opened.on('forgotten', () => {
      tutti = undefined;
      happen({ type: 'forgotten' });
      begin().catch(warn);
    });
    tutti = await opened.refresh().then(
      () => opened,
      (error: unknown) => (isOtherCoordinator(error) ? moved(opened) : opened),
    );
    const history = await tutti.history();
    likes = [...new Set(history.map(({ item }) => item))];
    happen({ type: 'opened', likes, consent: await tutti.consent.state(), receipts: await tutti.receipts() });
    suggest();
  }

  const suggest = oneAtATime(async () => {
    const [from, known] = [tutti, round()];
    if (from === undefined) return;
    if (known > 0) await from.refresh();
    const list = await from.recommend({ k: LIST, explain: true, popularityWeight: POPULARITY });
    const because = await Promise.all(
      likes
        .slice(-OWN_SHELVES)
        .reverse()
        .map(async (item) => ({ item, list: await from.similar(item, { k: SHELF, exclude: likes }) })),
    );
    if (from === tutti) happen({ type: 'suggested', suggested: { round: known, list, because } });
  }, warn);

  let lingering: ReturnType<typeof setTimeout> | undefined;
  await begin();
  return {
    recommender: () => tutti,
    committed: suggest,
    like(item, on) {
      likes = [...likes.filter((other) => other !== item), ...(on ? [item] : [])];
      happen({ type: 'liked', item, on });
      tutti?.record({ item, kind: on ? 'like' : 'undo' }).catch(warn);
      clearTimeout(lingering);
      lingering = setTimeout(suggest, LINGER_MS);
    },
    setConsent(on) {
      (on ? tutti?.consent.grant() : tutti?.consent.withdraw())?.catch(warn);
    },
    async forget() {
      const old = tutti;
      tutti = undefined;
      clearTimeout(lingering);
      await old?.forget();
      happen({ type: 'forgotten' });
      await begin();
    },
  };
}

const isOtherCoordinator = (error: unknown): boolean =>
  error instanceof Error && error.name === 'WrongCoordinatorError';

/** Tells what the recommender tells. */
function listen(tutti: BrowserRecommender, happen: (event: DemoEvent) => void): void {
  tutti.on('consent', ({ state }) => happen({ type: 'consent', state }));
  tutti.on('phase', ({ attempt, phase }) => {
    const step = STEPS.find((known) => known === phase);
    if (step !== undefined) happen({ type: 'part', part: { attempt, step } });
  });
  tutti.on('round', ({ round, outcome }) => {
    if (outcome === 'committed' && round !== null) happen({ type: 'took-part', round });
    else happen({ type: 'part', part: undefined });
  });
  tutti.on('declined', () => happen({ type: 'part', part: undefined }));
  tutti.on('disconnected', () => happen({ type: 'part', part: undefined }));
  tutti.on('receipt', () => {
    tutti.receipts().then(
      (receipts) => happen({ type: 'receipts', receipts }),
      () => undefined,
    );
  });
}

/** Runs `work` when asked, once at a time; asked again meanwhile, once more after that. */
function oneAtATime(work: () => Promise<void>, onError: (error: unknown) => void): () => void {
  let running = false;
  let again = false;
  const run = (): void => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    work()
      .catch(onError)
      .finally(() => {
        running = false;
        if (again) run();
      });
    again = false;
  };
  return run;
}
