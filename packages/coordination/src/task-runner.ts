import { seededRandom, toHex, wipe } from '@tutti/base';
import { encodeCheckpoint } from '@tutti/model';
import {
  roundDigest,
  type ClientMessage,
  type ClientMessageOf,
  type Reply,
  type RoundAbortReason,
  type RoundDescription,
  type TaskInfo,
} from '@tutti/protocol';
import { wipeReplies, type ClientId } from '@tutti/secure-aggregation';
import {
  openAttempt,
  pendingMessage,
  stepAttempt,
  survivorsOf,
  unmaskable,
  type Attempt,
  type AttemptEvent,
  type Effect,
  type Summing,
} from './attempt.ts';
import { commitModel, pruneCheckpoints } from './checkpoints.ts';
import { CentralNoise } from './central-noise.ts';
import {
  clippedShareOf,
  clippingNormAfter,
  currentConfig,
  metricsOf,
  sumAttempt,
  type Summed,
} from './commit.ts';
import { checkNoiseHistory } from './noise-history.ts';
import { decodeTaskCatalogue } from './catalogue.ts';
import { describeAttempt, layoutHashOf } from './describe.ts';
import { JournalWriteError, StaleTaskError, TaskStoppedError } from './errors.ts';
import type { TaskStatus } from './events.ts';
import { refused } from './groups.ts';
import { growTask } from './growth.ts';
import { memberCheck, OPEN } from './identity.ts';
import {
  JOURNAL_VERSION,
  restartEntry,
  type EvaluationRecord,
  type Funnel,
  type NoiseDraw,
  type RoundRecord,
} from './journal.ts';
import { Lobby } from './lobby.ts';
import { blobHash, fetchBlob, type RunnerPorts, type Traffic } from './ports.ts';
import { Post } from './post.ts';
import { fewestOf } from './noise-plan.ts';
import { funnelOf } from './record.ts';
import { budgetedOf, releaseOf } from './release.ts';
import { chooseCohort, roomFor, wantedNext, type Wanted } from './selection.ts';
import { SliceShelf, type PublishedSlice } from './slice.ts';
import { isFinished, taskInfo, taskStatus } from './status.ts';
import type { TaskConfig } from './task-config.ts';
import { TaskLog } from './task-log.ts';
import { Uploads } from './uploads.ts';

/** An attempt that is going on, and what its record needs. */
interface Running {
  attempt: Attempt;
  readonly openedAtMs: number;
  readonly trafficBefore: Traffic;
  readonly uploads: Uploads;
  readonly slice: PublishedSlice | undefined;
  cancelTimer: () => void;
}

/** Somebody who waits for a measurement. */
interface Waiter {
  readonly resolve: (record: EvaluationRecord) => void;
  readonly reject: (error: Error) => void;
}

const NO_SUCH_ATTEMPT = refused('unknown-attempt', 'there is no such attempt now');

/** Phases in which nobody is asked for an input yet. */
const BEFORE_INPUTS: ReadonlySet<Attempt['phase']> = new Set(['train', 'reveal-nonces', 'share-keys']);

/** How long an attempt waits for more clients once the fewest wait. */
const SELECTION_MS = 2_000;

/** How many rounds go by before a client is asked again whose privacy budget was spent, or which was there too recently. */
const REST_ROUNDS = 10;

/** How many of the last rounds say, after a restart, how long a round takes. */
const REMEMBERED_ROUNDS = 5;

/**
 * Runs one task: applies events to the pure cores and carries out their effects through the ports, one after another. The
 * journal is written before anything is acknowledged or announced.
 */
export class TaskRunner {
  readonly #log: TaskLog;
  readonly #lobby: Lobby;
  readonly #post: Post;
  readonly #noise: CentralNoise;
  readonly #layoutHash: string;
  readonly #catalogueHash: string;
  readonly #slices: SliceShelf | undefined;
  #running: Running | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #cancelSelection: (() => void) | undefined;
  #waiters: Waiter[] = [];
  #stopped: 'privacy-budget-spent' | 'stopped' | undefined;

  constructor(
    readonly config: TaskConfig,
    private readonly ports: RunnerPorts,
  ) {
    const { accounting, participation } = config.noise;
    this.#log = new TaskLog(config.name, ports.store, {
      ...(accounting === undefined ? {} : { dpDelta: accounting.dpDelta }),
      ...(participation === undefined ? {} : { participationCap: participation.most }),
    });
    this.#noise = new CentralNoise(config.name, { ...ports, words: ports.noise });
    this.#lobby = new Lobby(ports.selection);
    this.#post = new Post(ports.outbox, ports.crypto, ports.keyPair);
    this.#layoutHash = layoutHashOf(config, ports.crypto);
    this.#catalogueHash = blobHash(config.catalogue, ports.crypto);
    const hashes = { layoutHash: this.#layoutHash, catalogueHash: this.#catalogueHash };
    this.#slices = config.slice && new SliceShelf(config, config.slice, hashes, ports);
  }

  /** Replays the journal; begins the task where there is none; ends what a crash left open. @throws {StaleTaskError} */
  async open(): Promise<void> {
    const { blobs, clock } = this.ports;
    await this.#log.replay();
    await blobs.put(this.config.catalogue);
    if (this.#log.history.created === undefined) await this.#create();
    const restarted = restartEntry(this.#log.history, clock.now());
    if (restarted !== undefined) await this.#log.append(restarted);
    await this.#followCatalogue();
    checkNoiseHistory(this.config, this.#log.history);
    const { rounds } = this.#log.history;
    for (const { durationMs } of rounds.slice(-REMEMBERED_ROUNDS)) this.#lobby.observeRound(durationMs);
    this.#stopIfSpent();
  }

  /** Takes up a catalogue that changed. @throws {StaleTaskError} if that is not all that changed. */
  async #followCatalogue(): Promise<void> {
    const { history } = this.#log;
    const { layoutHash = '', catalogueHash = '' } = history.hashes ?? {};
    if (catalogueHash === this.#catalogueHash) {
      if (layoutHash !== this.#layoutHash) throw new StaleTaskError(this.config.name);
      return;
    }
    const { blobs, clock } = this.ports;
    const from = decodeTaskCatalogue(await fetchBlob(blobs, catalogueHash));
    const grown = await growTask(this.config, history, from, blobs);
    const hashes = { layoutHash: this.#layoutHash, catalogueHash: this.#catalogueHash };
    const atMs = clock.now();
    await this.#log.append({ v: JOURNAL_VERSION, type: 'catalogue-changed', atMs, ...hashes, ...grown });
    for (const old of [history.strategyHash, history.sliceHash])
      if (old !== undefined && old !== grown.strategyHash && old !== grown.sliceHash) await blobs.delete(old);
  }

  /** So that a task whose budget is spent says so at once. A round with a slice says so when it would begin. */
  #stopIfSpent(): void {
    const { planned } = this.config.cohort;
    if (this.#slices !== undefined || isFinished(this.config, this.#log.history)) return;
    this.#wouldOverspend(this.#description('train', planned, undefined));
  }

  async #create(): Promise<void> {
    const { layout } = this.config.model;
    const shared = this.config.model.initialShared(seededRandom(this.config.seed).fork('model'));
    const metadata = { task: this.config.name, round: '0' };
    const modelHash = await this.ports.blobs.put(encodeCheckpoint({ layout, shared, metadata }));
    const hashes = { layoutHash: this.#layoutHash, catalogueHash: this.#catalogueHash };
    const atMs = this.ports.clock.now();
    await this.#log.append({ v: JOURNAL_VERSION, type: 'task-created', atMs, ...hashes, modelHash });
  }

  info(): TaskInfo {
    const hashes = { layoutHash: this.#layoutHash, catalogueHash: this.#catalogueHash };
    return taskInfo(this.config, this.#log.history, hashes, this.ports.keyPair.publicKey);
  }

  status(): TaskStatus {
    const isSpent = this.#stopped === 'privacy-budget-spent';
    return taskStatus(this.config, this.#log, this.#lobby, this.#running?.attempt, isSpent);
  }

  rounds(): readonly RoundRecord[] {
    return this.#log.history.rounds;
  }

  connected(client: ClientId): void {
    this.#lobby.enter(client);
    this.#enqueue(async () => {
      const running = this.#running;
      if (running === undefined) return;
      const pending = pendingMessage(running.attempt, client);
      if (pending === 'describe') this.#post.describe(running.attempt, [client]);
      else if (pending !== undefined) this.#post.send(running.attempt, client, pending);
    });
  }

  disconnected(client: ClientId): void {
    this.#lobby.leave(client);
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
      if (this.#stopped !== undefined) return reject(new TaskStoppedError(this.config.name, this.#stopped));
      this.#waiters.push({ resolve, reject });
      this.#enqueue(async () => this.#considerSelection());
    });
  }

  async close(): Promise<void> {
    this.#stopped ??= 'stopped';
    this.#cancelSelection?.();
    await this.#serial(async () => {
      if (this.#running !== undefined) await this.#abort(this.#running, 'task-stopped');
    });
    this.#failWaiters(new TaskStoppedError(this.config.name, this.#stopped));
  }

  async #answer(client: ClientId, message: ClientMessage): Promise<Reply> {
    switch (message.type) {
      case 'hello':
        return refused('malformed', 'a greeting is for the server', 'type');
      case 'check-in':
        this.#enqueue(async () => this.#considerSelection());
        return this.#lobby.checkIn(client, roomFor(this.config));
      case 'decline':
        if (message.reason === 'privacy-budget-spent')
          this.#lobby.rest(client, this.#log.history.round + REST_ROUNDS);
        return this.#event(message.attempt, { type: 'declined', client, reason: message.reason });
      case 'advertise-keys':
        return this.#event(message.attempt, { type: 'ready', client, bundle: message.bundle });
      case 'share-keys':
        return this.#event(message.attempt, { type: 'shares', client, shares: message.shares });
      case 'masked-input':
        return this.#frame(client, message);
      case 'reveal-nonce':
        return this.#event(message.attempt, { type: 'nonce', client, nonce: message.nonce });
      case 'sign-survivors':
        return this.#event(message.attempt, { type: 'signature', client, signature: message.signature });
      case 'unmask':
        return this.#event(message.attempt, { type: 'unmask', client, shares: message.shares });
    }
  }

  async #frame(client: ClientId, frame: ClientMessageOf<'masked-input'>): Promise<Reply> {
    const running = this.#runningAttempt(frame.attempt);
    if (running === undefined) return NO_SUCH_ATTEMPT;
    const { attempt, uploads } = running;
    if (BEFORE_INPUTS.has(attempt.phase)) return refused('wrong-phase', `an input in phase ${attempt.phase}`);
    const pending = attempt.phase === 'masked-input' ? pendingMessage(attempt, client) : undefined;
    // It is counted already, and its client did not hear so; or it comes too late.
    if (pending === undefined) return this.#event(frame.attempt, { type: 'input-counted', client });
    if (pending === 'describe' || pending.type !== 'relay-shares')
      return refused('not-in-cohort', 'this client is not asked for an input');
    const taken = uploads.take(client, frame);
    if (taken.kind === 'reply') return taken.reply;
    this.ports.sums.add({ attempt: frame.attempt, group: pending.group }, taken.words);
    wipe(taken.words);
    return this.#event(frame.attempt, { type: 'input-counted', client });
  }

  #runningAttempt(attempt: number): Running | undefined {
    return this.#running?.attempt.description.attempt === attempt ? this.#running : undefined;
  }

  async #event(attempt: number, event: AttemptEvent): Promise<Reply> {
    const running = this.#runningAttempt(attempt);
    if (running === undefined) return NO_SUCH_ATTEMPT;
    const before = running.attempt.phase;
    const step = stepAttempt(running.attempt, event, (bound) => this.#lobby.draw(bound));
    running.attempt = step.attempt;
    if (before === 'masked-input' && step.attempt.phase !== before) running.uploads.clear();
    if (before !== 'unmask' && step.attempt.phase === 'unmask') await this.#countUnmasking(step.attempt);
    for (const effect of step.effects) this.#apply(running, effect);
    if (step.attempt.phase !== before || event.type !== 'deadline') this.#emitProgress();
    if (step.attempt.phase !== before) await this.#endIfOver(running, step.attempt);
    return step.reply;
  }

  /** Writes down what unmasking will release, before anyone is asked for a share. */
  async #countUnmasking(attempt: Attempt): Promise<void> {
    const { attempt: number, noise } = attempt.description;
    const counted = unmaskable(attempt, 0);
    // Noise of the coordinator's own is against readers, and they see nothing before the round is committed.
    if (counted === undefined || noise.mechanism !== 'skellam') return;
    const asked = releaseOf(this.config, attempt.description, counted);
    if (asked === null) return;
    await this.#log.append({ v: JOURNAL_VERSION, type: 'unmask-asked', attempt: number, asked });
  }

  async #endIfOver(running: Running, attempt: Attempt): Promise<void> {
    if (attempt.phase === 'failed') await this.#abort(running, attempt.reason);
    if (attempt.phase === 'sum') await this.#sum(running, attempt);
  }

  #apply(running: Running, effect: Effect): void {
    const { attempt, lanes, protection } = running.attempt.description;
    switch (effect.type) {
      case 'send':
        this.#post.send(running.attempt, effect.client, effect.message);
        return;
      case 'open-sum':
        if (protection === 'secure') this.ports.unmasker.prepare();
        this.ports.sums.open({ attempt, group: effect.group }, lanes.length);
        return;
      case 'timer':
        running.cancelTimer();
        running.cancelTimer = this.ports.clock.after(effect.afterMs, () =>
          this.#enqueue(async () => this.#event(attempt, { type: 'deadline', phase: effect.phase })),
        );
    }
  }

  /** What to do next; undefined where nothing may begin now. */
  #next(): Wanted | undefined {
    if (this.#running !== undefined || this.#stopped !== undefined) return undefined;
    const asked = { connected: this.#lobby.connected, evaluation: this.#waiters.length > 0 };
    return wantedNext(this.config, this.#log.history, asked);
  }

  /** Opens an attempt when enough clients wait; with fewer, but enough for the smallest cohort, after a moment. */
  async #considerSelection(): Promise<void> {
    const next = this.#next();
    if (next === undefined) return;
    if (this.#lobby.waiting >= next.clients) return this.#openAttempt(next);
    if (this.#lobby.waiting >= next.least) this.#considerLater();
  }

  #considerLater(): void {
    this.#cancelSelection ??= this.ports.clock.after(this.config.selectionMs ?? SELECTION_MS, () =>
      this.#enqueue(async () => {
        this.#cancelSelection = undefined;
        const now = this.#next();
        if (now === undefined || this.#lobby.waiting < now.least) return;
        await this.#openAttempt(now);
      }),
    );
  }

  async #openAttempt(wanted: Wanted): Promise<void> {
    const { clock, crypto } = this.ports;
    const { purpose } = wanted;
    this.#cancelSelection?.();
    this.#cancelSelection = undefined;
    const cohort = chooseCohort(this.config, this.#lobby, wanted);
    if (cohort === undefined) return this.#considerLater();
    const slice = purpose === 'train' ? await this.#slices?.publish(this.#log.history) : undefined;
    const description = this.#description(purpose, cohort.planned, slice);
    if (this.#wouldOverspend(description)) return this.#goOn();
    this.#lobby.take(cohort.clients);
    const digest = roundDigest(description, crypto);
    await this.#log.append({
      v: JOURNAL_VERSION,
      type: 'attempt-opened',
      atMs: clock.now(),
      round: description.round,
      attempt: description.attempt,
      identity: description.identity.level,
      purpose,
      digest: toHex(digest),
    });
    const selected = new Set(cohort.clients);
    const { attempt, effects } = openAttempt({
      description,
      digest,
      crypto,
      checkMember: memberCheck(this.config.identity ?? OPEN, description, { crypto, nowMs: clock.now() }),
      selected,
    });
    const running: Running = {
      attempt,
      openedAtMs: clock.now(),
      trafficBefore: this.ports.traffic(),
      uploads: new Uploads(description.lanes.length, description.wordBits),
      slice,
      cancelTimer: () => undefined,
    };
    this.#running = running;
    for (const effect of effects) this.#apply(running, effect);
    this.#post.describe(attempt, selected);
    this.#emitProgress();
  }

  #description(
    purpose: Wanted['purpose'],
    planned: number,
    slice: PublishedSlice | undefined,
  ): RoundDescription {
    const { history } = this.#log;
    return describeAttempt(currentConfig(this.config, history), {
      purpose,
      round: purpose === 'train' ? history.round + 1 : Math.max(1, history.round),
      attempt: history.attempt + 1,
      previousDigest: history.previousDigest,
      modelHash: history.modelHash ?? '',
      layoutHash: this.#layoutHash,
      catalogueHash: this.#catalogueHash,
      planned,
      ...(slice === undefined ? {} : { slice: slice.description }),
    });
  }

  /** Ends an attempt with its sum. A mistake of ours ends it too, by name: nothing hangs. */
  async #sum(running: Running, attempt: Summing): Promise<void> {
    running.cancelTimer();
    try {
      const noise = await this.#noise.of(attempt.description, this.#log.history);
      const summed = await sumAttempt(this.config, attempt, this.ports, noise?.lanes);
      if (summed === undefined) await this.#abort(running, 'too-few-unmask-shares');
      else if (attempt.description.purpose === 'evaluate') await this.#evaluated(running, attempt, summed);
      else await this.#commit(running, attempt, summed, noise?.draw);
    } catch (error) {
      if (error instanceof JournalWriteError || this.#running !== running) throw error;
      this.#emitFailure(error);
      await this.#abort(running, 'internal-error');
    }
  }

  async #commit(
    running: Running,
    attempt: Summing,
    summed: Summed,
    noiseDraw: NoiseDraw | undefined,
  ): Promise<void> {
    const { description } = attempt;
    const before = this.#log.history;
    const { modelHash, ...states } = await this.#nextModel(running, summed);
    const release = releaseOf(this.config, description, summed);
    const record: RoundRecord = {
      ...this.#funnel(running, summed),
      ...metricsOf(summed.update),
      modelHash,
      previousModelHash: description.modelHash,
      clippedShare: clippedShareOf(summed.update),
      epsilon: this.#log.epsilonWith(release),
    };
    const nextClippingNorm = clippingNormAfter(this.config, description.clippingNorm, summed.update);
    await this.#log.append({
      ...{ v: JOURNAL_VERSION, type: 'round-committed', record, ...states, release },
      ...(nextClippingNorm === undefined ? {} : { nextClippingNorm }),
      ...(noiseDraw === undefined ? {} : { noiseDraw }),
    });
    this.#countParts(attempt);
    this.#lobby.observeRound(record.durationMs);
    this.#running = undefined;
    this.#post.committed(attempt, record);
    this.ports.emit({ type: 'committed', task: this.config.name, record });
    await pruneCheckpoints(before, this.#log.history, this.config.keepCheckpoints, this.ports.blobs);
    await this.#goOn();
  }

  async #nextModel({ slice, attempt }: Running, summed: Summed) {
    const { history } = this.#log;
    return slice === undefined || this.#slices === undefined
      ? commitModel(this.config, history, summed, this.ports.blobs)
      : this.#slices.commit(history, summed.update, slice, attempt.description.clippingNorm);
  }

  async #evaluated(running: Running, attempt: Summing, summed: Summed): Promise<void> {
    const record: EvaluationRecord = {
      ...this.#funnel(running, summed),
      ...metricsOf(summed.update),
      modelHash: attempt.description.modelHash,
    };
    const release = releaseOf(this.config, attempt.description, summed);
    await this.#log.append({ v: JOURNAL_VERSION, type: 'evaluated', record, release });
    this.#running = undefined;
    this.#post.evaluated(attempt);
    for (const { resolve } of this.#waiters.splice(0)) resolve(record);
    this.ports.emit({ type: 'evaluated', task: this.config.name, record });
    await this.#goOn();
  }

  async #abort(running: Running, reason: RoundAbortReason): Promise<void> {
    running.cancelTimer();
    running.uploads.clear();
    const { attempt } = running;
    const { attempt: number } = attempt.description;
    if ('groups' in attempt)
      attempt.groups.forEach((state, group) => {
        this.ports.sums.discard({ attempt: number, group });
        if (state.phase === 'unmask') wipeReplies(state);
      });
    const record = this.#funnel(running, undefined);
    const release = unmaskable(attempt) === undefined ? null : (this.#log.history.asked ?? null);
    await this.#log.append({ v: JOURNAL_VERSION, type: 'attempt-aborted', reason, record, release });
    this.#running = undefined;
    this.#post.aborted(attempt, reason);
    this.ports.emit({ type: 'aborted', task: this.config.name, reason, record });
    await this.#goOn();
  }

  /** Lets those rest that took part as often, or as recently, as they may. */
  #countParts(attempt: Summing): void {
    const { participation } = this.config.noise;
    if (participation === undefined) return;
    for (const client of survivorsOf(attempt))
      this.#lobby.tookPart(client, attempt.description.round, participation);
  }

  async #goOn(): Promise<void> {
    this.#lobby.wake(this.#log.history.round + 1);
    if (this.#stopped !== undefined) this.#failWaiters(new TaskStoppedError(this.config.name, this.#stopped));
    if (isFinished(this.config, this.#log.history) || this.#stopped !== undefined) {
      const reason = this.#stopped ?? 'rounds-done';
      this.ports.emit({ type: 'finished', task: this.config.name, reason });
    }
    await this.#considerSelection();
  }

  /** Whether the noise of the fewest survivors would spend more than the budget; the task then stops. */
  #wouldOverspend(description: RoundDescription): boolean {
    const { accounting } = this.config.noise;
    if (accounting?.epsilonBudget === undefined) return false;
    const { planned, largestGroup } = description.cohort;
    const fewestInGroup = fewestOf(this.config, planned);
    const groups = Math.ceil(planned / largestGroup);
    const counted = { fewestInGroup, groups, survivors: fewestInGroup * groups };
    const after = this.#log.epsilonWith(releaseOf(this.config, description, counted));
    const over = after !== null && budgetedOf(after, accounting.against) > accounting.epsilonBudget;
    if (over) this.#stopped ??= 'privacy-budget-spent';
    return over;
  }

  #funnel({ attempt, openedAtMs, trafficBefore }: Running, summed: Summed | undefined): Funnel {
    const nowMs = this.ports.clock.now();
    return funnelOf(attempt, {
      openedAtMs,
      nowMs,
      before: trafficBefore,
      after: this.ports.traffic(),
      summed,
    });
  }

  #emitProgress(): void {
    this.ports.emit({ type: 'progress', task: this.config.name, status: this.status() });
  }

  #emitFailure(error: unknown): void {
    const fatal = error instanceof JournalWriteError;
    const told = error instanceof Error ? error : new Error(String(error));
    this.#failWaiters(told);
    this.ports.emit({ type: 'failed', task: this.config.name, error: told, fatal });
  }

  #failWaiters(error: Error): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  /** One thing at a time: events are applied in the order in which they came. */
  #serial<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work, work);
    this.#queue = done.catch((error: unknown) => {
      this.#emitFailure(error);
    });
    return done;
  }

  /** The same for work that nobody waits for; what fails is told as an event. */
  #enqueue(work: () => Promise<unknown>): void {
    this.#serial(work).catch(() => undefined);
  }
}
