import { given, UsageError } from '@tutti/base';
import type { DevicePrivacy, Policy, TokenSource } from '@tutti/client';
import type {
  ConsentState,
  HeldOut,
  Interaction,
  Receipts,
  Recommendation,
  RecommenderEvent,
  RecommenderEvents,
  RecommendOptions,
  SimilarOptions,
} from '@tutti/client/sdk';
// By its own path, so that no bundler brings the worker's half of the SDK into the page.
import { openListeners } from '@tutti/client/sdk/listeners';
import { DEFAULT_ELIGIBILITY, watchPage, type Eligibility, type PageState } from './conditions.ts';
import { revivedError } from './errors.ts';
import type { Outcome, Room } from './room.ts';
import type { Answer, Asked, Settings, Verb } from './verbs.ts';

/** A warning: something is not as it should be, and the recommender does without. */
export type Warning = Extract<RecommenderEvent, { type: 'warning' }>;

/** What a page opens a recommender with. */
export interface OpenOptions {
  /** Address of the coordinator, such as `https://fl.example.org`. */
  readonly coordinator: string;
  readonly task: string;
  /** Whether to take part without being told to, once consent is granted and the moment is good; default true. */
  readonly participate?: boolean;
  /** When the moment is good. */
  readonly eligibility?: Partial<Eligibility>;
  /** What this device asks of a round beyond the defaults. */
  readonly policy?: Partial<Policy>;
  /** The coordinator's public key in hexadecimal; by default the first one seen is pinned. */
  readonly coordinatorKey?: string;
  /** This device's enrolment token, where the task asks for one: 96 bytes, or how to get them from the app's login back end. */
  readonly token?: Uint8Array | TokenSource;
  /** The item that this device measures itself on, and what it is ranked among; by default the latest one recorded. */
  readonly heldOut?: HeldOut;
  /** Hears each kind of warning once; by default they go to the console. */
  readonly onWarning?: (warning: Warning) => void;
  /** Ends opening. */
  readonly signal?: AbortSignal;
  /** See `createParticipation` of `@tutti/client`. */
  readonly answerEveryMs?: number;
  readonly backOff?: { readonly firstMs: number; readonly mostMs: number };
}

/** Every wait can be ended. What was asked for may have happened all the same. */
export interface Waiting {
  readonly signal?: AbortSignal;
}

/** A person's private recommender in their browser. */
export interface BrowserRecommender extends AsyncDisposable {
  /** Taking part needs consent; nothing is sent before it is granted. Recording and recommending need none. */
  readonly consent: {
    grant(options?: Waiting): Promise<void>;
    /** A round that runs is left at once. */
    withdraw(options?: Waiting): Promise<void>;
    state(options?: Waiting): Promise<ConsentState>;
  };
  /** Keeps what the person did, on this device. Nothing is sent. */
  record(interactions: Interaction | readonly Interaction[], options?: Waiting): Promise<void>;
  /** What was recorded and not taken back by an interaction of kind `undo`, oldest first. */
  history(options?: Waiting): Promise<readonly Interaction[]>;
  /** Whether the task's catalogue has an item; what is recorded of others is kept and not trained on. */
  knows(item: string, options?: Waiting): Promise<boolean>;
  /**
   * The best items that the person has not touched; computed here, without a network once a model is here.
   * @throws {EnvironmentError} where no model was ever fetched and there is no network.
   */
  recommend(options?: RecommendOptions & Waiting): Promise<readonly Recommendation[]>;
  /** Items that are like one, the most alike first; none where the task does not know it. Computed here as well. */
  similar(item: string, options?: SimilarOptions & Waiting): Promise<readonly Recommendation[]>;
  /** Fetches the newest model, so that recommendations use it. */
  refresh(options?: Waiting): Promise<void>;
  /** What taking part has cost this device so far, by its own count, and what its policy allows. */
  privacy(options?: Waiting): Promise<DevicePrivacy>;
  /** What left this device, round by round, in figures and in words. */
  receipts(options?: Waiting): Promise<Receipts>;
  /** Takes part until `signal` aborts or {@link BrowserRecommender.stop} is called, whenever no other tab does. */
  participate(options?: Waiting): Promise<void>;
  stop(options?: Waiting): Promise<void>;
  on<Type extends keyof RecommenderEvents>(
    type: Type,
    listener: (event: RecommenderEvents[Type]) => void,
  ): () => void;
  /** Stops in every tab, and removes everything that is kept here. It is of no more use then. */
  forget(options?: Waiting): Promise<void>;
  close(): Promise<void>;
  /** Aborts when it is closed, or forgotten in any tab: it is of no more use then. */
  readonly closed: AbortSignal;
}

/** A room, and what ends it. */
export interface Link {
  readonly room: Room;
  /** Callbacks as this link carries them. */
  carry<T extends object>(callback: T): T;
  end(): void;
}

/** A recommender over a link to its room. */
export async function openFacade(options: OpenOptions, link: Link): Promise<BrowserRecommender> {
  const facade = new Facade(options, link);
  try {
    await facade.open(options);
    return facade;
  } catch (error) {
    link.end();
    throw error;
  }
}

/** How long closing waits for a room that is busy, in milliseconds. */
const CLOSE_MS = 2_000;

class Facade implements BrowserRecommender {
  readonly consent: BrowserRecommender['consent'] = {
    grant: (waiting) => this.#ask('grant', undefined, waiting),
    withdraw: (waiting) => this.#ask('withdraw', undefined, waiting),
    state: (waiting) => this.#ask('consent', undefined, waiting),
  };
  readonly #listeners = openListeners();
  readonly #warned = new Set<string>();
  readonly #over = new AbortController();
  #calls = 0;
  #unwatch: () => void = () => undefined;

  constructor(
    private readonly options: OpenOptions,
    private readonly link: Link,
  ) {}

  async open({ signal }: OpenOptions): Promise<void> {
    signal?.throwIfAborted();
    const { room, carry } = this.link;
    let page: PageState | undefined;
    this.#unwatch = watchPage((state) => {
      if (page !== undefined) void room.setPage(state);
      page = state;
    });
    const source = typeof this.options.token === 'function' ? this.options.token : undefined;
    const token = this.options.token instanceof Uint8Array ? constant(this.options.token) : source;
    const opening = room.open(
      settingsOf(this.options, page),
      carry((event: RecommenderEvent) => this.#hear(event)),
      token && carry(token),
    );
    valueOf(await raced(opening, [signal]));
  }

  get closed(): AbortSignal {
    return this.#over.signal;
  }

  on: BrowserRecommender['on'] = (type, listener) => this.#listeners.on(type, listener);

  record: BrowserRecommender['record'] = (interactions, waiting) =>
    this.#ask('record', interactions, waiting);
  history: BrowserRecommender['history'] = (waiting) => this.#ask('history', undefined, waiting);
  knows: BrowserRecommender['knows'] = (item, waiting) => this.#ask('knows', item, waiting);
  recommend: BrowserRecommender['recommend'] = ({ signal, ...asked } = {}) =>
    this.#ask('recommend', asked, signal && { signal });
  similar: BrowserRecommender['similar'] = (item, { signal, ...asked } = {}) =>
    this.#ask('similar', { ...asked, item }, signal && { signal });
  refresh: BrowserRecommender['refresh'] = (waiting) => this.#ask('refresh', undefined, waiting);
  privacy: BrowserRecommender['privacy'] = (waiting) => this.#ask('privacy', undefined, waiting);
  receipts: BrowserRecommender['receipts'] = (waiting) => this.#ask('receipts', undefined, waiting);
  stop: BrowserRecommender['stop'] = (waiting) => this.#ask('stop', undefined, waiting);

  async participate({ signal }: Waiting = {}): Promise<void> {
    await this.#ask('participate', undefined, {});
    if (signal === undefined) return;
    const stop = (): void => void this.stop().catch(() => undefined);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true, signal: this.#over.signal });
  }

  async forget(waiting: Waiting = {}): Promise<void> {
    await this.#ask('forget', undefined, waiting);
    this.#end('forgotten');
  }

  async close(): Promise<void> {
    if (this.#over.signal.aborted) return;
    await this.#ask('close', undefined, { signal: AbortSignal.timeout(CLOSE_MS) }).catch(() => undefined);
    this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #end(how = 'closed'): void {
    this.#unwatch();
    this.#over.abort(new UsageError(`this recommender is ${how}; open another one`));
    this.link.end();
  }

  async #ask<V extends Verb>(verb: V, asked: Asked<V>, { signal }: Waiting = {}): Promise<Answer<V>> {
    this.#over.signal.throwIfAborted();
    signal?.throwIfAborted();
    const id = this.#calls++;
    const { room } = this.link;
    const outcome = raced(room.call(id, verb, asked), [signal, this.#over.signal], () => void room.abort(id));
    return valueOf(await outcome) as Answer<V>;
  }

  #hear(event: RecommenderEvent): void {
    if (event.type === 'warning') {
      if (this.#warned.has(event.code)) return;
      this.#warned.add(event.code);
      if (this.options.onWarning === undefined) console.warn(`tutti: ${event.message} (${event.code})`);
      else this.options.onWarning(event);
    }
    this.#listeners.emit(event);
    if (event.type === 'forgotten') this.#end('forgotten, in another tab');
  }
}

function settingsOf(options: OpenOptions, page: PageState | undefined): Settings {
  const { coordinator, task, policy, coordinatorKey, heldOut, answerEveryMs, backOff } = options;
  return {
    coordinator,
    task,
    eligibility: { ...DEFAULT_ELIGIBILITY, ...options.eligibility },
    participate: options.participate ?? true,
    ...given({ page }),
    own: given({ policy, coordinatorKey, heldOut, answerEveryMs, backOff }),
  };
}

const constant =
  (token: Uint8Array): TokenSource =>
  async () =>
    token;

/** What comes first: the answer, or one of the signals. */
function raced<T>(
  answer: Promise<T>,
  signals: readonly (AbortSignal | undefined)[],
  onAbort: () => void = () => undefined,
): Promise<T> {
  const over = new AbortController();
  return new Promise<T>((resolve, reject) => {
    answer.then(resolve, reject);
    for (const signal of signals)
      signal?.addEventListener(
        'abort',
        () => {
          onAbort();
          reject(signal.reason as Error);
        },
        { once: true, signal: over.signal },
      );
  }).finally(() => over.abort());
}

function valueOf(outcome: Outcome): unknown {
  if ('error' in outcome) throw revivedError(outcome.error);
  return outcome.value;
}
