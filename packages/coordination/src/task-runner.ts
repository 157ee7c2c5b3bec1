import { encodeCheckpoint } from '@tutti/model';
import { EMPTY_LEDGER, spent, type Ledger } from '@tutti/privacy';
import {
  openUpload,
  roundDigest,
  takeFrame,
  type ClientMessage,
  type Reply,
  type RoundAbortReason,
  type TaskInfo,
  type Upload,
} from '@tutti/protocol';
import { DecodeError, seededRandom, toHex, type RandomWords } from '@tutti/base';
import type { ClientId, CryptoSuite, KeyPair } from '@tutti/secure-aggregation';
import {
  openAttempt,
  pendingMessage,
  progressOf,
  stepAttempt,
  survivorsOf,
  type Attempt,
  type AttemptEvent,
  type Effect,
  type Outgoing,
  type Summing,
} from './attempt.ts';
import { metricsOf, nextModel, releaseOf, sumAttempt, type Summed } from './commit.ts';
import { describeAttempt, layoutHashOf } from './describe.ts';
import type { CoordinationEvent, TaskStatus } from './events.ts';
import {
  applyEntry,
  decodeJournalEntry,
  EMPTY_HISTORY,
  JOURNAL_VERSION,
  restartEntry,
  type EvaluationRecord,
  type Funnel,
  type JournalEntry,
  type RoundRecord,
  type TaskHistory,
} from './journal.ts';
import { pace } from './pace.ts';
import { addRelease, funnelOf } from './record.ts';
import { signedDescription, signedMessage } from './signed.ts';
import {
  blobHash,
  type Blobs,
  type Clock,
  type GroupSums,
  type Outbox,
  type Store,
  type Traffic,
} from './ports.ts';
import { StaleTaskError } from './errors.ts';
import type { TaskConfig } from './task-config.ts';

/** What a task runs on. */
export interface RunnerPorts {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly selection: RandomWords;
  readonly crypto: CryptoSuite;
  readonly outbox: Outbox;
  readonly sums: GroupSums;
  readonly traffic: () => Traffic;
  readonly keyPair: KeyPair;
  readonly emit: (event: CoordinationEvent) => void;
}

/** An attempt that is going on, and what its record needs. */
interface Running {
  attempt: Attempt;
  readonly openedAtMs: number;
  readonly trafficBefore: Traffic;
  readonly uploads: Map<ClientId, Upload>;
  cancelTimer: () => void;
}

/** How long an attempt waits for more clients once the fewest wait. */
const SELECTION_MS = 2_000;

/** A round's duration before one was seen. */
const FIRST_ROUND_MS = 10_000;

const refused = (
  reason: Extract<Reply, { type: 'refused' }>['reason'],
  problem: string,
  field = 'attempt',
): Reply => ({ type: 'refused', reason, field, problem });

/**
 * Runs one task: applies events to the pure cores and carries out their effects through the ports, one after another. The
 * journal is written before anything is acknowledged or announced.
 */
export class TaskRunner {
  #history: TaskHistory = EMPTY_HISTORY;
  #ledger: Ledger = EMPTY_LEDGER;
  readonly #connected = new Set<ClientId>();
  readonly #waiting = new Set<ClientId>();
  #running: Running | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #cancelSelection: (() => void) | undefined;
  #evaluations: { resolve: (record: EvaluationRecord) => void; reject: (error: Error) => void }[] = [];
  #stopped: RoundAbortReason | undefined;
  #roundMs = FIRST_ROUND_MS;
  readonly #layoutHash: string;
  readonly #catalogueHash: string;

  constructor(
    readonly config: TaskConfig,
    private readonly ports: RunnerPorts,
  ) {
    this.#layoutHash = layoutHashOf(config, ports.crypto);
    this.#catalogueHash = blobHash(config.catalogue, ports.crypto);
  }

  /** Replays the journal; begins the task where there is none; ends what a crash left open. */
  async open(): Promise<void> {
    const { store, blobs, clock } = this.ports;
    const entries = await store.readJournal(this.config.name);
    this.#history = entries.map(decodeJournalEntry).reduce(applyEntry, EMPTY_HISTORY);
    await blobs.put(this.config.catalogue);
    if (this.#history.created === undefined) {
      const { layout } = this.config.model;
      const shared = this.config.model.initialShared(seededRandom(this.config.seed).fork('model'));
      const modelHash = await blobs.put(
        encodeCheckpoint({ layout, shared, metadata: { task: this.config.name, round: '0' } }),
      );
      await this.#journal({
        v: JOURNAL_VERSION,
        type: 'task-created',
        atMs: clock.now(),
        layoutHash: this.#layoutHash,
        catalogueHash: this.#catalogueHash,
        modelHash,
      });
    }
    const { created } = this.#history;
    if (
      created !== undefined &&
      (created.layoutHash !== this.#layoutHash || created.catalogueHash !== this.#catalogueHash)
    ) {
      throw new StaleTaskError(this.config.name);
    }
    if (this.#history.open !== undefined) await this.#journal(restartEntry(this.#history.open, clock.now()));
    this.#ledger = this.#history.releases.reduce(addRelease, EMPTY_LEDGER);
    for (const { durationMs } of this.#history.rounds.slice(-5)) this.#observeRound(durationMs);
  }

  info(): TaskInfo {
    return {
      protocol: 1,
      task: this.config.name,
      coordinatorKey: toHex(this.ports.keyPair.publicKey),
      model: { ...this.config.model.config },
      items: this.config.model.items,
      catalogueHash: this.#catalogueHash,
      layoutHash: this.#layoutHash,
      round: this.#history.round,
      modelHash: this.#history.modelHash ?? '',
    };
  }

  status(): TaskStatus {
    const attempt = this.#running?.attempt;
    return {
      task: this.config.name,
      round: this.#history.round,
      target: this.config.rounds,
      attempt: this.#history.attempt,
      phase: attempt?.phase ?? (this.#finished() ? 'finished' : 'select'),
      progress:
        attempt === undefined
          ? { done: Math.min(this.#waiting.size, this.#needed()), total: this.#needed() }
          : progressOf(attempt),
      connected: this.#connected.size,
      waiting: this.#waiting.size,
      modelHash: this.#history.modelHash ?? '',
      epsilon: this.#epsilon(),
    };
  }

  rounds(): readonly RoundRecord[] {
    return this.#history.rounds;
  }

  connected(client: ClientId): void {
    this.#connected.add(client);
    void this.#serial(async () => {
      const running = this.#running;
      if (running === undefined) return;
      const pending = pendingMessage(running.attempt, client);
      if (pending === 'describe') this.#sendDescription(running, client);
      else if (pending !== undefined) this.#sendOutgoing(running.attempt, client, pending);
    });
  }

  disconnected(client: ClientId): void {
    this.#connected.delete(client);
    this.#waiting.delete(client);
  }

  /** Answers a client's message. Bad input is refused by name; it never throws for it. */
  handle(client: ClientId, message: ClientMessage): Promise<Reply> {
    return this.#serial(async () => this.#answer(client, message));
  }

  /** Counts an input whose words were added to the group's sum elsewhere. */
  inputAdded(client: ClientId, attempt: number): Promise<Reply> {
    return this.#serial(async () => this.#event(attempt, { type: 'input-counted', client }));
  }

  /** Measures everybody who is connected, through a secure sum, when the current attempt is over. */
  evaluate(): Promise<EvaluationRecord> {
    return new Promise((resolve, reject) => {
      this.#evaluations.push({ resolve, reject });
      void this.#serial(async () => this.#considerSelection());
    });
  }

  async close(): Promise<void> {
    this.#stopped = 'task-stopped';
    this.#cancelSelection?.();
    await this.#serial(async () => {
      if (this.#running !== undefined) await this.#abort(this.#running, 'task-stopped');
    });
  }

  async #answer(client: ClientId, message: ClientMessage): Promise<Reply> {
    switch (message.type) {
      case 'hello':
        return refused('malformed', 'a greeting is for the server', 'type');
      case 'check-in':
        return this.#checkIn(client);
      case 'decline':
        return this.#event(message.attempt, { type: 'declined', client, reason: message.reason });
      case 'advertise-keys':
        return this.#event(message.attempt, { type: 'ready', client, bundle: message.bundle });
      case 'share-keys':
        return this.#event(message.attempt, { type: 'shares', client, shares: message.shares });
      case 'masked-input':
        return this.#frame(client, message);
      case 'unmask':
        return this.#event(message.attempt, { type: 'unmask', client, shares: message.shares });
    }
  }

  #checkIn(client: ClientId): Reply {
    if (!this.#connected.has(client)) this.#connected.add(client);
    const facts = { waiting: this.#waiting.size + 1, needed: this.#needed(), roundMs: this.#roundMs };
    const answer = pace(facts, this.ports.selection.uint32() / 2 ** 32);
    if (answer.kind === 'later') return { type: 'later', retryAfterMs: answer.retryAfterMs };
    this.#waiting.add(client);
    void this.#serial(async () => this.#considerSelection());
    return { type: 'waiting', checkAgainMs: answer.checkAgainMs };
  }

  async #frame(client: ClientId, frame: Extract<ClientMessage, { type: 'masked-input' }>): Promise<Reply> {
    const running = this.#running;
    if (running === undefined || running.attempt.description.attempt !== frame.attempt)
      return refused('unknown-attempt', 'there is no such attempt now');
    const { attempt } = running;
    if (attempt.phase !== 'masked-input')
      return refused(
        attempt.phase === 'train' || attempt.phase === 'share-keys' ? 'wrong-phase' : 'too-late',
        `an input in phase ${attempt.phase}`,
      );
    const pending = pendingMessage(attempt, client);
    if (pending === undefined) return this.#event(frame.attempt, { type: 'input-counted', client });
    if (pending === 'describe' || pending.type !== 'relay-shares')
      return refused('not-in-cohort', 'this client is not asked for an input');
    const upload = running.uploads.get(client) ?? openUpload(attempt.description.lanes.length);
    try {
      const result = takeFrame(upload, frame);
      if (result.kind === 'out-of-order')
        return {
          ...refused('frame-out-of-order', `frame ${result.expected} is expected`, 'index'),
          next: result.expected,
        } as Reply;
      running.uploads.set(client, result.upload);
      if (result.kind !== 'complete') return { type: 'accepted', next: result.upload.next };
      running.uploads.delete(client);
      this.ports.sums.add({ attempt: frame.attempt, group: pending.group }, result.upload.words);
      return await this.#event(frame.attempt, { type: 'input-counted', client });
    } catch (error) {
      if (error instanceof DecodeError) return refused('malformed', error.problem, error.field);
      throw error;
    }
  }

  async #event(attempt: number, event: AttemptEvent): Promise<Reply> {
    const running = this.#running;
    if (running === undefined || running.attempt.description.attempt !== attempt)
      return refused('unknown-attempt', 'there is no such attempt now');
    const before = running.attempt.phase;
    const {
      attempt: next,
      effects,
      reply,
    } = stepAttempt(running.attempt, event, (bound) => this.#draw(bound));
    running.attempt = next;
    for (const effect of effects) this.#apply(running, effect);
    if (next.phase !== before) this.#emitPhase();
    else if (event.type !== 'deadline') this.#emitPhase();
    if (next.phase === 'failed') await this.#abort(running, next.reason);
    if (next.phase === 'sum') await this.#sum(running, next);
    return reply;
  }

  #apply(running: Running, effect: Effect): void {
    switch (effect.type) {
      case 'send':
        this.#sendOutgoing(running.attempt, effect.client, effect.message);
        return;
      case 'open-sum':
        this.ports.sums.open(
          { attempt: running.attempt.description.attempt, group: effect.group },
          running.attempt.description.lanes.length,
        );
        return;
      case 'timer': {
        running.cancelTimer();
        const { attempt } = running.attempt.description;
        running.cancelTimer = this.ports.clock.after(effect.afterMs, () => {
          void this.#serial(async () => this.#event(attempt, { type: 'deadline', phase: effect.phase }));
        });
      }
    }
  }

  #sendOutgoing(attempt: Attempt, client: ClientId, message: Outgoing): void {
    this.ports.outbox.send(client, signedMessage(attempt, message, this.ports));
  }

  #sendDescription(running: Running, client: ClientId): void {
    this.ports.outbox.send(client, signedDescription(running.attempt, this.ports));
  }

  /** Clients that a training attempt asks. */
  #needed(): number {
    return Math.ceil(this.config.cohort.planned * this.config.cohort.overselection);
  }

  #finished(): boolean {
    return this.#history.round >= this.config.rounds;
  }

  /** Opens an attempt when enough clients wait; with fewer, but enough for the smallest cohort, after a moment. */
  async #considerSelection(): Promise<void> {
    if (this.#running !== undefined || this.#stopped !== undefined) return;
    const evaluating = this.#evaluations.length > 0;
    if (!evaluating && this.#finished()) return;
    const wanted = evaluating ? this.#connected.size : this.#needed();
    const least = evaluating
      ? Math.min(this.config.cohort.smallest, Math.max(1, this.#connected.size))
      : this.config.cohort.smallest;
    if (this.#waiting.size >= wanted && this.#waiting.size >= least) {
      await this.#openAttempt(evaluating ? 'evaluate' : 'train', wanted);
    } else if (this.#waiting.size >= least && this.#cancelSelection === undefined) {
      this.#cancelSelection = this.ports.clock.after(this.config.selectionMs ?? SELECTION_MS, () => {
        void this.#serial(async () => {
          this.#cancelSelection = undefined;
          if (this.#running !== undefined || this.#stopped !== undefined || this.#waiting.size < least)
            return;
          await this.#openAttempt(evaluating ? 'evaluate' : 'train', Math.min(wanted, this.#waiting.size));
        });
      });
    }
  }

  async #openAttempt(purpose: 'train' | 'evaluate', wanted: number): Promise<void> {
    const { clock, crypto } = this.ports;
    this.#cancelSelection?.();
    this.#cancelSelection = undefined;
    const selected = this.#drawSelected(purpose === 'evaluate' ? this.#waiting.size : wanted);
    const history = this.#history;
    const description = describeAttempt(this.config, {
      purpose,
      round: purpose === 'train' ? history.round + 1 : Math.max(1, history.round),
      attempt: history.attempt + 1,
      previousDigest: history.previousDigest,
      modelHash: history.modelHash ?? '',
      layoutHash: this.#layoutHash,
      planned: purpose === 'evaluate' ? selected.length : this.config.cohort.planned,
    });
    const digest = roundDigest(description, crypto);
    await this.#journal({
      v: JOURNAL_VERSION,
      type: 'attempt-opened',
      atMs: clock.now(),
      round: description.round,
      attempt: description.attempt,
      purpose,
      digest: toHex(digest),
    });
    const { attempt, effects } = openAttempt({ description, digest, crypto, selected: new Set(selected) });
    const running: Running = {
      attempt,
      openedAtMs: clock.now(),
      trafficBefore: this.ports.traffic(),
      uploads: new Map(),
      cancelTimer: () => undefined,
    };
    this.#running = running;
    for (const client of selected) this.#waiting.delete(client);
    for (const effect of effects) this.#apply(running, effect);
    for (const client of selected) this.#sendDescription(running, client);
    this.#emitPhase();
  }

  /** `count` of those who wait, uniformly. Sorted first, so that the draw does not depend on the order of arrival. */
  #drawSelected(count: number): ClientId[] {
    const pool = [...this.#waiting].sort();
    for (let at = 0; at < Math.min(count, pool.length); at++) {
      const other = at + this.#draw(pool.length - at);
      [pool[at], pool[other]] = [pool[other] as ClientId, pool[at] as ClientId];
    }
    return pool.slice(0, count);
  }

  #draw(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let word = this.ports.selection.uint32();
    while (word >= limit) word = this.ports.selection.uint32();
    return word % bound;
  }

  async #sum(running: Running, attempt: Summing): Promise<void> {
    running.cancelTimer();
    const summed = await sumAttempt(this.config, attempt, this.ports.sums);
    if (summed === undefined) await this.#abort(running, 'too-few-unmask-shares');
    else if (attempt.description.purpose === 'evaluate')
      await this.#finishEvaluation(running, attempt, summed);
    else await this.#commit(running, attempt, summed);
  }

  async #commit(running: Running, attempt: Summing, summed: Summed): Promise<void> {
    const { blobs } = this.ports;
    const { description } = attempt;
    const checkpoint = await blobs.get(description.modelHash);
    if (checkpoint === undefined) return this.#abort(running, 'internal-error');
    const strategyBefore = this.#history.strategyHash;
    const strategyBytes = strategyBefore === undefined ? undefined : await blobs.get(strategyBefore);
    const next = nextModel(this.config, summed.update, description.round, checkpoint, strategyBytes);
    const [modelHash, strategyHash] = [await blobs.put(next.checkpoint), await blobs.put(next.strategy)];
    const release = releaseOf(this.config, description, summed.survivors);
    const ledger = release === null ? this.#ledger : addRelease(this.#ledger, release);
    const record: RoundRecord = {
      ...this.#funnel(running, summed),
      ...metricsOf(summed.update),
      modelHash,
      previousModelHash: description.modelHash,
      clippedShare: description.noise.mechanism === 'none' ? summed.update.clippedShare : null,
      epsilon: release === null ? null : this.#epsilonOf(ledger),
    };
    await this.#journal({ v: JOURNAL_VERSION, type: 'round-committed', record, strategyHash, release });
    this.#ledger = ledger;
    this.#observeRound(record.durationMs);
    this.#running = undefined;
    for (const client of survivorsOf(attempt)) {
      this.ports.outbox.send(client, {
        type: 'outcome',
        outcome: 'committed',
        attempt: description.attempt,
        round: record.round,
        modelHash,
        survivors: summed.survivors,
      });
    }
    this.#tellOthers(attempt, new Set(survivorsOf(attempt)));
    this.ports.emit({ type: 'committed', task: this.config.name, record });
    await this.#prune(strategyBefore);
    await this.#goOn();
  }

  async #finishEvaluation(running: Running, attempt: Summing, summed: Summed): Promise<void> {
    const record: EvaluationRecord = {
      ...this.#funnel(running, summed),
      ...metricsOf(summed.update),
      modelHash: attempt.description.modelHash,
    };
    const release = releaseOf(this.config, attempt.description, summed.survivors);
    await this.#journal({ v: JOURNAL_VERSION, type: 'evaluated', record, release });
    if (release !== null) this.#ledger = addRelease(this.#ledger, release);
    this.#running = undefined;
    this.#tellOthers(attempt, new Set());
    for (const { resolve } of this.#evaluations.splice(0)) resolve(record);
    this.ports.emit({ type: 'evaluated', task: this.config.name, record });
    await this.#goOn();
  }

  async #abort(running: Running, reason: RoundAbortReason): Promise<void> {
    running.cancelTimer();
    const { attempt } = running;
    if ('groups' in attempt)
      attempt.groups.forEach((_, group) =>
        this.ports.sums.discard({ attempt: attempt.description.attempt, group }),
      );
    const record = this.#funnel(running, undefined);
    await this.#journal({ v: JOURNAL_VERSION, type: 'attempt-aborted', reason, record });
    this.#running = undefined;
    for (const client of attempt.selected)
      this.ports.outbox.send(client, {
        type: 'outcome',
        outcome: 'aborted',
        attempt: attempt.description.attempt,
        reason,
      });
    this.ports.emit({ type: 'aborted', task: this.config.name, reason, record });
    await this.#goOn();
  }

  /** Selected clients that are not in the sum hear that the attempt is over. */
  #tellOthers(attempt: Attempt, told: ReadonlySet<ClientId>): void {
    for (const client of attempt.selected) {
      if (!told.has(client))
        this.ports.outbox.send(client, {
          type: 'outcome',
          outcome: 'not-included',
          attempt: attempt.description.attempt,
        });
    }
  }

  async #goOn(): Promise<void> {
    const { accounting } = this.config.noise;
    const budget = accounting?.epsilonBudget;
    const spentNow = this.#epsilon()?.coordinator ?? 0;
    if (budget !== undefined && spentNow >= budget) this.#stopped ??= 'task-stopped';
    if (this.#finished() || this.#stopped !== undefined) {
      this.ports.emit({
        type: 'finished',
        task: this.config.name,
        reason:
          this.#stopped === undefined
            ? 'rounds-done'
            : budget !== undefined && spentNow >= budget
              ? 'privacy-budget-spent'
              : 'stopped',
      });
    }
    await this.#considerSelection();
  }

  /** Keeps the newest checkpoints; a journalled round whose checkpoint is gone still names it by its hash. */
  async #prune(strategyBefore: string | undefined): Promise<void> {
    const { rounds, strategyHash, created } = this.#history;
    if (strategyBefore !== undefined && strategyBefore !== strategyHash)
      await this.ports.blobs.delete(strategyBefore);
    const outdated = rounds.at(-1 - this.config.keepCheckpoints);
    const kept = new Set(rounds.slice(-this.config.keepCheckpoints).map(({ modelHash }) => modelHash));
    const gone =
      outdated?.modelHash ?? (rounds.length === this.config.keepCheckpoints ? created?.modelHash : undefined);
    if (gone !== undefined && !kept.has(gone)) await this.ports.blobs.delete(gone);
  }

  #funnel(running: Running, summed: Summed | undefined): Funnel {
    const { attempt, openedAtMs, trafficBefore } = running;
    return funnelOf(attempt, {
      openedAtMs,
      nowMs: this.ports.clock.now(),
      before: trafficBefore,
      after: this.ports.traffic(),
      summed,
    });
  }

  #epsilon(): TaskStatus['epsilon'] {
    return this.config.noise.accounting === undefined ? null : this.#epsilonOf(this.#ledger);
  }

  #epsilonOf(ledger: Ledger): { coordinator: number; readers: number | null } {
    return spent(ledger, this.config.noise.accounting?.dpDelta ?? 1e-5);
  }

  #observeRound(durationMs: number): void {
    this.#roundMs = 0.7 * this.#roundMs + 0.3 * durationMs;
  }

  async #journal(next: JournalEntry): Promise<void> {
    await this.ports.store.appendJournal(this.config.name, this.#history.length, [next]);
    this.#history = applyEntry(this.#history, next);
  }

  #emitPhase(): void {
    this.ports.emit({ type: 'progress', task: this.config.name, status: this.status() });
  }

  /** One thing at a time: events are applied in the order in which they came. */
  #serial<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work, work);
    this.#queue = done.catch((error: unknown) => {
      for (const { reject } of this.#evaluations.splice(0))
        reject(error instanceof Error ? error : new Error(String(error)));
      this.ports.emit({ type: 'failed', task: this.config.name, error });
    });
    return done;
  }
}
