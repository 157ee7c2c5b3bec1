import { given, messageOf, secureWords, seededRandom, systemRandom, toHex, UsageError } from '@tutti/base';
import { clientIdOf, type ClientId, type CryptoSuite, type KeyPair } from '@tutti/secure-aggregation';
import { createDevice, type Device } from '../device.ts';
import type { DevicePrivacy } from '../device-privacy.ts';
import type { ParticipationEvent } from '../participation-options.ts';
import { createParticipation } from '../participation.ts';
import { resolvePolicy, type Policy } from '../policy.ts';
import type { ClientClock, ClientStore, Conditions, TokenSource, Transport } from '../ports.ts';
import type { Channels, OpenChannels } from './channels.ts';
import { openConsent, withConsent, type Consent, type ConsentState } from './consent.ts';
import { examplesOf, type HeldOut } from './examples.ts';
import { openHistory, type History } from './history.ts';
import type { Downloads } from './http.ts';
import { checkPinned, keptIdentity, learn, type DecodeConfig, type Learned } from './learn.ts';
import {
  checkedListOptions,
  openLists,
  type Recommendation,
  type RecommendOptions,
  type SimilarOptions,
} from './lists.ts';
import { coordinatorProofs } from './log-proofs.ts';
import { openReceiptBook, receiptText, type Receipt, type ReceiptBook, type Receipts } from './receipts.ts';
import type { SharedEngine } from './shared-engine.ts';
import { eitherSignal } from './signals.ts';
import { openTables, type KnownTable, type Tables } from './tables.ts';
import { tokenSource } from './token.ts';

/** What an app hears: of taking part, of consent, of what left. Nothing in it tells what a person likes. */
export type RecommenderEvent =
  | ParticipationEvent
  | { readonly type: 'consent'; readonly state: ConsentState }
  /** Something left this device, and the attempt it left in is over. */
  | { readonly type: 'receipt'; readonly receipt: Receipt & { readonly text: string } }
  /** Everything was forgotten, in another tab of a browser: this recommender is of no more use. */
  | { readonly type: 'forgotten' }
  /** Something is not as it should be, and what is done about it. `code` is stable. */
  | { readonly type: 'warning'; readonly code: string; readonly message: string };

/** A person's recommender in one runtime, made of what that runtime passes in. */
export interface RecommenderOptions {
  readonly taskName: string;
  readonly store: ClientStore;
  readonly downloads: Downloads;
  readonly transport: Transport;
  readonly crypto: CryptoSuite;
  readonly clock: ClientClock;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly engine: SharedEngine;
  /** Checks the configuration of a model, of those that the engine trains. */
  readonly decodeConfig: DecodeConfig;
  readonly conditions: Conditions;
  /** Whether nothing is sent before consent was granted; otherwise only its withdrawal ends taking part. */
  readonly consentNeeded: boolean;
  readonly onEvent: (event: RecommenderEvent) => void;
  readonly identity?: KeyPair;
  readonly policy?: Partial<Policy>;
  readonly token?: Uint8Array | TokenSource;
  readonly coordinatorKey?: string;
  readonly heldOut?: HeldOut;
  readonly answerEveryMs?: number;
  readonly backOff?: { readonly firstMs: number; readonly mostMs: number };
  readonly onUnkept?: (cause: unknown) => void;
  /** Whether what is kept of the task is used at once, and the coordinator asked after that. */
  readonly keptFirst?: boolean;
  /** How it comes to models on channels; without it, it ranks with the newest. */
  readonly openChannels?: OpenChannels | undefined;
}

/** What is known once the task is. */
interface Known extends Learned {
  readonly identity: KeyPair;
  readonly id: ClientId;
  readonly tables: Tables;
  readonly channels: Channels | undefined;
}

/** Pause before the task is asked for again, in milliseconds. */
const LEARN_AGAIN_MS = 5_000;

/** The SDKs' common core: records, recommends, takes part, forgets. It opens without a network; see {@link Recommender.know}. */
export class Recommender {
  readonly consent: Consent;
  readonly history: History;
  readonly #receipts: ReceiptBook;
  readonly #lists = openLists();
  #known: Promise<Known> | undefined;
  #latest: Known | undefined;
  #running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #device: Device | undefined;
  #leave: () => void = () => undefined;
  /** Settles when the coordinator was asked about a task that was kept. */
  #renewed: Promise<void> = Promise.resolve();
  #forgotten = false;

  constructor(private readonly options: RecommenderOptions) {
    resolvePolicy(options.policy);
    this.history = openHistory(options.store, options.nowMs);
    this.#receipts = openReceiptBook(options.store);
    this.consent = openConsent(options.store, (state) => this.consentChanged(state));
  }

  /** Consent was granted or withdrawn, here or by somebody else with the same store: a round that runs is left at once. */
  consentChanged(state: ConsentState): void {
    // One that waits for consent looks again.
    if (state === 'withdrawn' || this.#device === undefined) this.#leave();
    this.options.onEvent({ type: 'consent', state });
  }

  /** The task, from the coordinator or from the store; asked again after it could not be had. */
  know(): Promise<Known> {
    this.#checkKept();
    const known = (this.#known ??= this.options.keptFirst === true ? this.#learnTwice() : this.#learn());
    known.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    return known;
  }

  /** What the store has, at once; what the coordinator says takes its place when it comes. */
  async #learnTwice(): Promise<Known> {
    const kept = await this.#learn('store');
    this.#renewed = this.#learn().then(
      (renewed) => void (this.#known = Promise.resolve(renewed)),
      () => undefined,
    );
    return kept;
  }

  async #learn(first?: 'store'): Promise<Known> {
    const { store, crypto, engine, downloads, onUnkept } = this.options;
    const identity = this.options.identity ?? (await keptIdentity(store, systemRandom(), crypto));
    const learned = await learn(this.options, first);
    const { task, model } = learned;
    await engine.prepare(model, task.layoutHash);
    const unkept = given({ onUnkept });
    const tables = openTables({ downloads, crypto, task, model, store, engine, ...unkept });
    const channels = this.options.openChannels?.({ ...this.options, task, model, first });
    const id = clientIdOf(identity.publicKey, crypto);
    this.#latest = { ...learned, identity, id, tables, channels };
    return this.#latest;
  }

  async record(...args: Parameters<History['record']>): Promise<void> {
    this.#checkKept();
    await this.history.record(...args);
  }

  async recommend(asked?: RecommendOptions): Promise<readonly Recommendation[]> {
    const options = checkedListOptions(asked);
    const known = await this.know();
    const { catalogue, id } = known;
    const table = await tableOf(known);
    const history = await this.history.all();
    const vector = await this.#deviceOf(known).vector(table);
    const { positives } = examplesOf(history, catalogue, id, this.options.heldOut);
    const seen = history.map(({ item }) => item);
    return this.#lists.recommend({ table, catalogue, vector, positives, seen }, options);
  }

  /** Items that are like `item`, the most alike first, by what the model learned; none where it does not know `item`. */
  async similar(item: string, asked?: SimilarOptions): Promise<readonly Recommendation[]> {
    const options = checkedListOptions(asked);
    const known = await this.know();
    const { catalogue } = known;
    return this.#lists.similar(item, { table: await tableOf(known), catalogue }, options);
  }

  async refresh({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const { task, tables, channels } = await this.know();
    const info = await this.options.downloads.task(task.task, signal);
    checkPinned(info, task.coordinatorKey);
    if (info.layoutHash !== task.layoutHash || info.catalogueHash !== task.catalogueHash)
      return this.#knowAgain(signal);
    await channels?.renew(info, signal);
    await tables.open(info.modelHash, signal);
  }

  /** Whether the catalogue has an item, as far as is known; nothing is asked for. */
  knows(item: string): boolean {
    return this.#latest?.catalogue.indexOf(item) !== undefined;
  }

  /** The coordinator's catalogue changed: learns the task anew, with its newest model. */
  async #knowAgain(signal?: AbortSignal): Promise<void> {
    this.#known = undefined;
    const { task, tables } = await this.know();
    await tables.open(task.modelHash, signal);
  }

  async privacy(): Promise<DevicePrivacy> {
    return (this.#device ?? this.#deviceOf(await this.know())).privacy();
  }

  receipts(): Promise<Receipts> {
    return this.#receipts.all();
  }

  async participate({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.#checkKept();
    if (this.#running !== undefined) throw new UsageError('this client takes part already');
    const stop = new AbortController();
    const done = this.#takePart(eitherSignal(stop.signal, signal));
    this.#running = { stop, done };
    await done.finally(() => {
      stop.abort();
      this.#running = undefined;
    });
  }

  async stop(): Promise<void> {
    const running = this.#running;
    running?.stop.abort();
    await running?.done;
  }

  /** Stops, and removes everything that the store holds. It is of no more use then. */
  async forget(): Promise<void> {
    this.#forgotten = true;
    try {
      await this.stop();
    } finally {
      this.#device?.leave();
      this.history.refresh();
      await this.options.store.clear();
    }
  }

  /** Takes part until the signal aborts: again and again, since withdrawing consent ends one turn. */
  async #takePart(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const turn = new AbortController();
      this.#leave = () => turn.abort();
      const both = eitherSignal(turn.signal, signal);
      try {
        await this.#allowed(both);
        await this.know();
        await this.#renewed;
        await this.#turn(await this.know(), both);
      } catch (error) {
        const reason = messageOf(error);
        if (both.aborted) continue;
        this.options.onEvent({ type: 'disconnected', reason });
        await this.options.clock.sleep(LEARN_AGAIN_MS, both).catch(() => undefined);
      } finally {
        // Lets go of the caller's signal, which may outlive many turns.
        turn.abort();
        this.#leave = () => undefined;
      }
    }
  }

  /** Waits until taking part is allowed, so that nothing is asked of the coordinator before. */
  async #allowed(signal: AbortSignal): Promise<void> {
    const { consentNeeded, conditions, clock } = this.options;
    const all = withConsent(this.consent, consentNeeded, conditions);
    for (let answer = await all.check('begin'); !answer.eligible; answer = await all.check('begin')) {
      signal.throwIfAborted();
      await clock.sleep(answer.retryAfterMs, signal);
    }
  }

  /** Takes part with a device of its own, which reads anew what the store has. */
  async #turn(known: Known, signal: AbortSignal): Promise<void> {
    const { options } = this;
    const { crypto, transport, clock, conditions, consentNeeded, backOff, answerEveryMs } = options;
    const device = (this.#device = this.#deviceOf(known));
    const participation = createParticipation({
      ...{ device, task: known.task, identity: known.identity, crypto, transport, clock },
      conditions: withConsent(this.consent, consentNeeded, conditions),
      random: systemRandom(),
      onEvent: (event) => this.#hear(event, device),
      onSent: (attempt, bytes) => this.#receipts.sent(attempt, bytes),
      usualMs: () => options.engine.usualMs(known.task.layoutHash),
      ...given({ backOff, answerEveryMs }),
    });
    try {
      await participation.run({ signal });
    } finally {
      this.#device = undefined;
      for (const attempt of this.#receipts.running())
        await this.#closeReceipt(attempt, { outcome: 'left', cohort: null }, device).catch(() => undefined);
    }
  }

  #deviceOf({ identity, id, task, model, catalogue, tables, channels }: Known): Device {
    const { store, crypto, downloads, policy, token, clock, nowMs, heldOut } = this.options;
    const random = systemRandom();
    return createDevice({
      ...{ identity, task, model, store, models: tables, channels, crypto, random, nowMs },
      data: async () => examplesOf(await this.history.all(), catalogue, id, heldOut),
      words: () => secureWords(random),
      seeds: (attempt) =>
        attempt === 0 ? seededRandom(`personalize ${id}`) : seededRandom(toHex(random.bytes(16))),
      policy: resolvePolicy(policy),
      ...given({ token: token && tokenSource(token, clock) }),
      logProofs: coordinatorProofs(downloads, task.task),
      onLeaving: ({ attempt, round, purpose, masked, survivors: atLeast }) =>
        this.#receipts.begin({ attempt, round, purpose, at: nowMs(), masked, atLeast }),
    });
  }

  #hear(event: ParticipationEvent, device: Device): void {
    this.options.onEvent(event);
    // This turn ends, and the next one begins with learning the task anew.
    if (event.type === 'declined' && event.reason === 'wrong-model') this.#known = undefined;
    if (event.type === 'round' || event.type === 'declined') {
      const ending =
        event.type === 'round'
          ? { outcome: event.outcome, cohort: event.survivors }
          : { outcome: 'left' as const, cohort: null };
      void this.#closeReceipt(event.attempt, ending, device).catch(() => undefined);
    }
  }

  async #closeReceipt(
    attempt: number,
    ending: Pick<Receipt, 'outcome' | 'cohort'>,
    device: Device,
  ): Promise<void> {
    const { epsilon } = await device.privacy();
    const receipt = await this.#receipts.end(attempt, { ...ending, epsilon });
    if (receipt !== undefined)
      this.options.onEvent({ type: 'receipt', receipt: { ...receipt, text: receiptText(receipt) } });
  }

  #checkKept(): void {
    if (this.#forgotten) throw new UsageError('this client was forgotten; create another one');
  }
}

/** What is ranked with: the model on a channel, or the newest. */
const tableOf = async ({ channels, tables, task }: Known): Promise<KnownTable> =>
  (await channels?.table()) ?? tables.newest(task.modelHash);
