import type { ConsentState, Receipts, Recommendation } from '@tutti/client-browser';
import type { CoordinationEvent, Funnel, RoundRecord, TaskStatus } from '@tutti/coordination';
import type { Film } from '../films.ts';
import type { Setting } from './setting.ts';

/** What the page knows, as data. */
export interface DemoState {
  readonly setting: Setting;
  readonly films: ReadonlyMap<string, Film>;
  /** Whether the coordinator's event stream is open. */
  readonly live: boolean;
  readonly status: TaskStatus | undefined;
  /** Committed rounds, the oldest first. */
  readonly rounds: readonly RoundRecord[];
  readonly aborted: readonly Funnel[];
  /** Rounds that this browser's part is in. */
  readonly mine: ReadonlySet<number>;
  /** What this browser does in the round that runs. */
  readonly part: Part | undefined;
  readonly consent: ConsentState;
  /** Ids of what the person likes, the latest last. */
  readonly likes: readonly string[];
  readonly suggested: Suggested | undefined;
  /** How many suggestions fitted after each round. */
  readonly fits: ReadonlyMap<number, number>;
  readonly receipts: Receipts | undefined;
  readonly warnings: readonly string[];
  /** What was done last, said to those who do not see it. */
  readonly said: string;
}

/** This browser's part in an attempt, as far as it came. */
export interface Part {
  readonly attempt: number;
  readonly step: 'describe' | 'roster' | 'relay-shares' | 'survivors';
}

/** Lists of the page, made by one model. */
export interface Suggested {
  /** Rounds that the model has learned in. */
  readonly round: number;
  readonly list: readonly Recommendation[];
  readonly because: readonly { readonly item: string; readonly list: readonly Recommendation[] }[];
  /** What was not in the list of the round before. */
  readonly fresh: ReadonlySet<string>;
}

/** What changes it. */
export type DemoEvent =
  | { readonly type: 'live'; readonly live: boolean }
  | {
      readonly type: 'read';
      readonly status: TaskStatus | undefined;
      readonly rounds: readonly RoundRecord[];
    }
  | CoordinationEvent
  | {
      readonly type: 'opened';
      readonly likes: readonly string[];
      readonly consent: ConsentState;
      readonly receipts: Receipts;
    }
  | { readonly type: 'liked'; readonly item: string; readonly on: boolean }
  | { readonly type: 'suggested'; readonly suggested: Omit<Suggested, 'fresh'> }
  | { readonly type: 'consent'; readonly state: ConsentState }
  | { readonly type: 'part'; readonly part: Part | undefined }
  | { readonly type: 'took-part'; readonly round: number }
  | { readonly type: 'receipts'; readonly receipts: Receipts }
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'forgotten' };

/** Suggestions of the main list. */
export const LIST = 12;

/** Likes from which on it makes sense to say how well suggestions fit. */
export const LEAST_LIKES = 3;

/** Attempts that came to nothing which are remembered. */
const MOST_ABORTED = 50;

/** Before anything was heard. */
export function emptyState(setting: Setting): DemoState {
  return {
    setting,
    films: new Map(setting.films.map((film) => [film.id, film])),
    live: false,
    status: undefined,
    rounds: [],
    aborted: [],
    ...NOBODY,
    warnings: [],
    said: '',
  };
}

/** What is known of a person of whom nothing is. */
const NOBODY = {
  mine: new Set<number>(),
  part: undefined,
  consent: 'not-asked',
  likes: [] as readonly string[],
  suggested: undefined,
  fits: new Map<number, number>(),
  receipts: undefined,
} as const;

/** The state after an event. */
export function reduce(state: DemoState, event: DemoEvent): DemoState {
  switch (event.type) {
    case 'live':
      return { ...state, live: event.live };
    case 'read':
      return { ...state, status: event.status, rounds: event.rounds };
    case 'progress':
      return { ...state, status: event.status };
    case 'committed':
      return {
        ...state,
        rounds: [...state.rounds.filter(({ round }) => round < event.record.round), event.record],
      };
    case 'aborted':
      return { ...state, part: undefined, aborted: [...state.aborted, event.record].slice(-MOST_ABORTED) };
    case 'task-opened':
    case 'task-reopened':
    case 'run-changed':
    case 'model-promoted':
    case 'evaluated':
    case 'compared':
    case 'model-judged':
    case 'finished':
    case 'failed':
      return state;
    case 'suggested':
      return withSuggestions(state, event.suggested);
    case 'forgotten':
      return { ...state, ...NOBODY, said: 'Everything that was kept in this browser is gone.' };
    default:
      return ofPerson(state, event);
  }
}

/** What the person did, and what their browser did for them. */
function ofPerson(
  state: DemoState,
  event: Extract<
    DemoEvent,
    { type: 'opened' | 'liked' | 'consent' | 'part' | 'took-part' | 'receipts' | 'warning' }
  >,
): DemoState {
  switch (event.type) {
    case 'opened':
      return { ...state, likes: event.likes, consent: event.consent, receipts: event.receipts };
    case 'liked': {
      const others = state.likes.filter((item) => item !== event.item);
      const title = state.films.get(event.item)?.title ?? event.item;
      return event.on
        ? { ...state, likes: [...others, event.item], said: `You like ${title}.` }
        : { ...state, likes: others, said: `You no longer like ${title}.` };
    }
    case 'consent':
      return event.state === state.consent
        ? state
        : {
            ...state,
            consent: event.state,
            part: undefined,
            said:
              event.state === 'granted'
                ? 'Your browser takes part from now on.'
                : 'Your browser takes no part any more.',
          };
    case 'part':
      return { ...state, part: event.part };
    case 'took-part':
      return {
        ...state,
        part: undefined,
        mine: new Set([...state.mine, event.round]),
        said: state.mine.size === 0 ? `Your browser took part in round ${event.round}.` : state.said,
      };
    case 'receipts':
      return { ...state, receipts: event.receipts };
    case 'warning':
      return { ...state, warnings: [...new Set([...state.warnings, event.message])] };
  }
}

function withSuggestions(state: DemoState, made: Omit<Suggested, 'fresh'>): DemoState {
  const before = state.suggested;
  const known = new Set(before?.list.map(({ item }) => item));
  const fresh = new Set(
    before === undefined ? [] : made.list.map(({ item }) => item).filter((item) => !known.has(item)),
  );
  const fit = fitOf({ ...state, suggested: { ...made, fresh } });
  return {
    ...state,
    suggested: { ...made, fresh },
    fits: fit === undefined ? state.fits : new Map([...state.fits, [made.round, fit]]),
  };
}

/**
 * How many suggestions are mainly of a genre that the person likes films of; nothing while they like too few. Genres are on the posters
 * alone: the model never hears of them.
 */
export function fitOf({
  likes,
  films,
  suggested,
}: Pick<DemoState, 'likes' | 'films' | 'suggested'>): number | undefined {
  if (likes.length < LEAST_LIKES || suggested === undefined) return undefined;
  const mainGenre = (item: string): string | undefined => films.get(item)?.genres[0];
  const liked = new Set(likes.map(mainGenre));
  return suggested.list.filter(({ item }) => liked.has(mainGenre(item))).length;
}
