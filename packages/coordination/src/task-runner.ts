import { wipe } from '@tutti/base';
import {
  wipeUpload,
  type ClientMessage,
  type ClientMessageOf,
  type Reply,
  type RoundDescription,
  type TaskInfo,
} from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import type { Attempt, AttemptEvent, Effect, Summing } from './attempt-state.ts';
import { awaitedIn, inputGroupOf, pendingMessage } from './attempt-view.ts';
import { stepAttempt } from './attempt.ts';
import { pruneCheckpoints } from './checkpoints.ts';
import { registryOf } from './channel-change.ts';
import { countUnmasking, wouldOverspend } from './budget.ts';
import { sumAttempt, type Summed } from './commit.ts';
import {
  abortAttempt,
  commitAttempt,
  compareAttempt,
  evaluateAttempt,
  forgetSent,
  type Running,
} from './ending.ts';
import { JournalWriteError, TaskStoppedError } from './errors.ts';
import type { TaskStatus } from './events.ts';
import { refused } from './groups.ts';
import type { AttemptEndReason, EvaluationRecord, NoiseDraw, RoundRecord, RunState } from './journal.ts';
import { Later } from './later.ts';
import type { Lobby } from './lobby.ts';
import { beginAttempt, describeNext, eventOf, type Subject } from './opening.ts';
import type { RunnerPorts } from './ports.ts';
import type { Post } from './post.ts';
import { cohortForTrial, propose, settle, trialIn, type TrialProgress } from './promotion.ts';
import { chooseCohort, roomFor, wantedNext, type Cohort, type Wanted } from './selection.ts';
import type { Registry } from './registry.ts';
import { changeRun } from './run-state.ts';
import { Serial } from './serial.ts';
import { Spacing } from './spacing.ts';
import { isFinished, taskInfo, taskStatus } from './status.ts';
import type { TaskConfig } from './task-config.ts';
import type { TaskLog } from './task-log.ts';
import { openTask, taskParts, type TaskParts } from './task-parts.ts';
import { comparisonLanes, type Trial } from './trial.ts';
import { Waiters } from './waiters.ts';

const NO_SUCH_ATTEMPT = refused('unknown-attempt', 'there is no such attempt now');

/** Phases in which nobody is asked for an input yet. */
const BEFORE_INPUTS: ReadonlySet<Attempt['phase']> = new Set(['train', 'reveal-nonces', 'share-keys']);

/** How long an attempt waits for more clients once the fewest wait. */
const SELECTION_MS = 2_000;

/** How long a client may be gone that a coordinator waits for which is about to stop: longer than a lost connection takes to be there again, in milliseconds. */
const GONE_MS = 3_000;

/** When a client is to come back whose coordinator is about to stop, in milliseconds. */
const DRAINING_RETRY_MS = 5_000;

/** When a client is to come back whose task was stopped for good, in milliseconds. */
const STOPPED_RETRY_MS = 600_000;

/** How many rounds go by before a client is asked again whose privacy budget was spent, or which was there too recently. */
const REST_ROUNDS = 10;

/**
 * Runs one task: applies events to the pure cores and carries out their effects through the ports, one after another. The
 * journal is written before anything is acknowledged or announced.
 */
export class TaskRunner {
  readonly #parts: TaskParts;
  readonly #serial: Serial;
  readonly #waiters = new Waiters();
  readonly #spacing: Spacing;
  #running: Running | undefined;
  /** An attempt with fewer clients than it could have. */
  readonly #selection: Later;
  /** While it drains: the end of a phase whose clients are all gone. */
  readonly #gone: Later;
  #stopped: 'privacy-budget-spent' | 'stopped' | undefined;
  #draining = false;
  #successor: TaskRunner | undefined;
  #idle: (() => void)[] = [];
  #trialProgress: TrialProgress | undefined;
  /** The round after which a look at a candidate ended without its sum: there is none before the next. */
  #failedLookAt = -1;
  /** Its models, and which of them clients rank with. */
  readonly registry: Registry;

  constructor(
    readonly config: TaskConfig,
    private readonly ports: RunnerPorts,
  ) {
    this.#parts = taskParts(config, ports);
    this.#serial = new Serial((error) => this.#emitFailure(error));
    this.#spacing = new Spacing(ports.clock);
    this.#selection = new Later(ports.clock);
    this.#gone = new Later(ports.clock);
    this.registry = registryOf(this.#parts, this.#serial);
  }

  get #log(): TaskLog {
    return this.#parts.log;
  }

  get #lobby(): Lobby {
    return this.#parts.lobby;
  }

  get #post(): Post {
    return this.#parts.post;
  }

  /** Replays the journal; begins the task where there is none; ends what a crash left open. @throws {StaleTaskError} */
  async open(): Promise<void> {
    await openTask(this.#parts);
    this.#stopIfSpent();
    // A crash may have come between the last look and the verdict.
    await settle(this.#parts, { giveUp: this.#stopped !== undefined });
  }

  /** So that a task whose budget is spent says so at once. A round with a slice says so when it would begin. */
  #stopIfSpent(): void {
    const { planned } = this.config.cohort;
    if (this.#parts.slices !== undefined || isFinished(this.config, this.#log.history)) return;
    this.#wouldOverspend(describeNext(this.#parts, 'train', planned));
  }

  info(): TaskInfo {
    return taskInfo(this.config, this.#log.history, this.#parts, this.ports.keyPair.publicKey);
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
    this.#serial.enqueue(async () => {
      const running = this.#running;
      if (running === undefined) return;
      const pending = pendingMessage(running.attempt, client);
      if (pending === 'describe') this.#post.describe(running.attempt, [client]);
      else if (pending !== undefined) this.#post.send(running.attempt, client, pending);
    });
  }

  /**
   * Gives way to the runner that `open` gives: who is here goes there, and so does whatever is still asked here.
   * Between attempts alone; `open` may write to the journal, nothing else does meanwhile.
   */
  async handOver(open: () => Promise<TaskRunner>): Promise<void> {
    await this.#serial.run(async () => {
      const next = await open();
      next.#lobby.takeOver(this.#lobby);
      this.#successor = next;
    });
    this.#selection.callOff();
    this.#spacing.release();
    this.#successor?.reconsider();
  }

  /**
   * Gives way to the runner that `open` gives, which goes on with what the journal holds: this one could not write to it. The attempt
   * that is open ends as it does when a coordinator is started again. @throws what `open` throws; nothing has changed then.
   */
  async startAgain(open: () => Promise<TaskRunner>): Promise<void> {
    await this.handOver(async () => {
      const next = await open();
      const running = this.#running;
      this.#running = undefined;
      if (running !== undefined) {
        forgetSent(this.#parts, running);
        this.#post.aborted(running.attempt, 'coordinator-restarted');
      }
      for (const tell of this.#idle.splice(0)) tell();
      return next;
    });
  }

  /** Begins what can begin now. */
  reconsider(): void {
    this.#serial.enqueue(async () => this.#considerSelection());
  }

  disconnected(client: ClientId): void {
    this.#lobby.leave(client);
    if (this.#draining) this.#considerGone();
  }

  /** Answers a client's message. Bad input is refused by name; it never throws for it. */
  handle(client: ClientId, message: ClientMessage): Promise<Reply> {
    return this.#serial.run(
      async () => this.#successor?.handle(client, message) ?? this.#answer(client, message),
    );
  }

  /** Counts an input whose words were added to the group's sum elsewhere. */
  inputAdded(client: ClientId, attempt: number): Promise<Reply> {
    return this.#serial.run(
      async () =>
        this.#successor?.inputAdded(client, attempt) ??
        this.#event(attempt, { type: 'input-counted', client }),
    );
  }

  /** Measures everybody who is connected, through a secure sum, when the current attempt is over. */
  evaluate(): Promise<EvaluationRecord> {
    const standstill = this.#standstill;
    if (standstill !== undefined) return Promise.reject(standstill);
    const measured = this.#waiters.next();
    this.#spacing.release();
    this.#serial.enqueue(async () => this.#considerSelection());
    return measured;
  }

  /**
   * Pauses the task (the attempt that is going on ends first), resumes it, or stops it for good (that attempt ends by name). What it is
   * already changes nothing.
   * @param by name of whoever asks for it.
   * @throws {TaskStoppedError} if it was stopped before.
   */
  async setRun(run: RunState, by: string): Promise<void> {
    const changed = await this.#serial.run(async () => {
      if (this.#successor !== undefined) return this.#successor.setRun(run, by);
      const change = await changeRun(this.#parts, run, by);
      if (change !== 'changed') return change;
      if (run === 'stopped') this.#stopped ??= 'stopped';
      this.#spacing.release();
      if (this.#running === undefined) await this.#goOn();
      else if (run === 'stopped') await this.#abort(this.#running, 'task-stopped');
      this.#emitProgress();
      return change;
    });
    // Whoever asked for it hears of it; it is no failure of the task.
    if (changed === 'refused') throw new TaskStoppedError(this.config.name, 'stopped');
  }

  /** Why nothing begins that somebody could wait for. */
  get #standstill(): TaskStoppedError | undefined {
    const { run } = this.#log.history;
    const reason = this.#stopped ?? (run === 'running' ? undefined : run);
    return reason && new TaskStoppedError(this.config.name, reason);
  }

  /**
   * Opens no further attempt. @returns a promise that resolves when the one that is going on has ended; it waits for no client that
   * is gone and stays away.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#selection.callOff();
    this.#spacing.release();
    // An attempt may be about to open: it counts as going on.
    await this.#serial.run(async () => undefined);
    if (this.#running === undefined) return;
    this.#considerGone();
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async close(): Promise<void> {
    this.#stopped ??= 'stopped';
    this.#selection.callOff();
    await this.#serial.run(async () => {
      if (this.#running !== undefined) await this.#abort(this.#running, 'task-stopped');
    });
    this.#spacing.release();
    this.#gone.callOff();
    this.#waiters.reject(new TaskStoppedError(this.config.name, this.#stopped));
  }

  async #answer(client: ClientId, message: ClientMessage): Promise<Reply> {
    switch (message.type) {
      case 'hello':
        return refused('malformed', 'a greeting is for the server', 'type');
      case 'check-in':
        if (this.#draining) return { type: 'later', retryAfterMs: DRAINING_RETRY_MS };
        if (this.#log.history.run === 'stopped') return { type: 'later', retryAfterMs: STOPPED_RETRY_MS };
        this.#serial.enqueue(async () => this.#considerSelection());
        return this.#lobby.checkIn(client, roomFor(this.config));
      case 'masked-input':
        return this.#frame(client, message);
      case 'decline':
        if (message.reason === 'privacy-budget-spent')
          this.#lobby.rest(client, this.#log.history.round + REST_ROUNDS);
        return this.#event(message.attempt, eventOf(client, message));
      default:
        return this.#event(message.attempt, eventOf(client, message));
    }
  }

  async #frame(client: ClientId, frame: ClientMessageOf<'masked-input'>): Promise<Reply> {
    const running = this.#runningAttempt(frame.attempt);
    const group = running === undefined ? NO_SUCH_ATTEMPT : this.#inputOf(running.attempt, client);
    if (running === undefined || typeof group !== 'number') {
      wipe(frame.bytes);
      // It is counted already, and its client did not hear so; or it comes too late.
      return typeof group === 'object'
        ? group
        : this.#event(frame.attempt, { type: 'input-counted', client });
    }
    const taken = running.uploads.take(client, frame, this.ports.clock.now());
    if (taken.kind === 'reply') return taken.reply;
    this.ports.sums.add({ attempt: frame.attempt, group }, taken.upload);
    wipeUpload(taken.upload);
    return this.#event(frame.attempt, { type: 'input-counted', client });
  }

  /** The group that a client's input is for, or why it is not taken; undefined where it is asked for nothing. */
  #inputOf(attempt: Attempt, client: ClientId): number | Reply | undefined {
    if (BEFORE_INPUTS.has(attempt.phase)) return refused('wrong-phase', `an input in phase ${attempt.phase}`);
    const group = inputGroupOf(attempt, client);
    return group === 'none' ? refused('not-in-cohort', 'this client is not asked for an input') : group;
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
    if (before !== 'unmask' && step.attempt.phase === 'unmask')
      await countUnmasking(this.#parts, step.attempt);
    for (const effect of step.effects) this.#apply(running, effect);
    if (step.attempt.phase !== before || event.type !== 'deadline') this.#emitProgress();
    if (step.attempt.phase !== before) await this.#endIfOver(running, step.attempt);
    if (this.#draining) this.#considerGone();
    return step.reply;
  }

  /** While it drains, ends a phase in which everybody who is waited for is gone, and does not come again. */
  #considerGone(): void {
    if (!this.#isForNobody()) return;
    this.#gone.once(GONE_MS, () =>
      this.#serial.enqueue(async () => {
        const attempt = this.#running?.attempt;
        if (attempt === undefined || !this.#isForNobody()) return;
        await this.#event(attempt.description.attempt, { type: 'deadline', phase: attempt.phase });
      }),
    );
  }

  #isForNobody(): boolean {
    if (this.#running === undefined) return false;
    const awaited = awaitedIn(this.#running.attempt);
    return awaited.length > 0 && !awaited.some((client) => this.#lobby.isHere(client));
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
          this.#serial.enqueue(async () => this.#event(attempt, { type: 'deadline', phase: effect.phase })),
        );
    }
  }

  /** What to do next; undefined where nothing may begin now. */
  #next(): Wanted | undefined {
    if (this.#running !== undefined || this.#standstill !== undefined || this.#draining) return undefined;
    if (this.#spacing.holds) return undefined;
    const { connected } = this.#lobby;
    const asked = { connected, evaluation: this.#waiters.any, trial: this.#trial() };
    return wantedNext(this.config, this.#log.history, asked);
  }

  /** A candidate that waits for its next look. */
  #trial(): Trial | undefined {
    const { history } = this.#log;
    const failed = this.#failedLookAt === history.round && !isFinished(this.config, history);
    return failed ? undefined : trialIn(this.#parts);
  }

  /** Opens an attempt when enough clients wait; with fewer, but enough for the smallest cohort, after a moment. */
  async #considerSelection(): Promise<void> {
    const next = this.#next();
    if (next === undefined) return;
    if (this.#lobby.waiting >= next.clients) return this.#openAttempt(next);
    if (this.#lobby.waiting >= next.least) this.#considerLater();
  }

  #considerLater(): void {
    this.#selection.once(this.config.selectionMs ?? SELECTION_MS, () =>
      this.#serial.enqueue(async () => {
        const now = this.#next();
        if (now === undefined || this.#lobby.waiting < now.least) return;
        await this.#openAttempt(now);
      }),
    );
  }

  async #openAttempt(wanted: Wanted): Promise<void> {
    const { purpose } = wanted;
    this.#selection.callOff();
    if (wanted.trial !== undefined) {
      const asked = cohortForTrial(this.#parts, wanted.trial);
      if (asked !== undefined) return this.#openLook(wanted.trial, asked);
      if (purpose === 'evaluate') return this.#considerLater();
    }
    const cohort = chooseCohort(this.config, this.#lobby, wanted);
    if (cohort === undefined) return this.#considerLater();
    const slice = purpose === 'train' ? await this.#parts.slices?.publish(this.#log.history) : undefined;
    const description = describeNext(this.#parts, purpose, cohort.planned, { slice });
    if (this.#wouldOverspend(description)) {
      await settle(this.#parts, { giveUp: true });
      return this.#goOn();
    }
    return this.#begin(description, cohort, { slice });
  }

  /** Lets a part of the devices compare a candidate with the incumbent. A budget that has no room for it ends the trial. */
  async #openLook(trial: Trial, cohort: Cohort): Promise<void> {
    const metrics = comparisonLanes(this.config.promotion?.metric ?? 'hr@10', trial.sequence);
    const description = describeNext(this.#parts, 'evaluate', cohort.planned, { metrics });
    if (!wouldOverspend(this.#parts, description)) return this.#begin(description, cohort, { trial });
    await settle(this.#parts, { giveUp: true });
    return this.#considerSelection();
  }

  async #begin(description: RoundDescription, cohort: Cohort, subject: Subject): Promise<void> {
    const { running, effects, selected } = await beginAttempt(this.#parts, description, cohort, subject);
    this.#running = running;
    for (const effect of effects) this.#apply(running, effect);
    this.#post.describe(running.attempt, selected);
    this.#emitProgress();
  }

  /** Ends an attempt with its sum. A mistake of ours ends it too, by name: nothing hangs. */
  async #sum(running: Running, attempt: Summing): Promise<void> {
    running.cancelTimer();
    try {
      const noise = await this.#parts.noise.of(attempt.description, this.#log.history);
      const summed = await sumAttempt(this.config, attempt, this.ports, noise?.lanes);
      if (typeof summed === 'string') await this.#abort(running, summed);
      else if (running.trial !== undefined) await this.#compared(running, attempt, summed, running.trial);
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
    const before = this.#log.history;
    const record = await commitAttempt(this.#parts, { running, attempt, summed, noiseDraw });
    this.#succeeded();
    this.#post.committed(attempt, record);
    this.ports.emit({ type: 'committed', task: this.config.name, record });
    // The round counts; a checkpoint that cannot be removed only takes room.
    await pruneCheckpoints(before, this.#log.history, this.config.keepCheckpoints, this.ports.blobs).catch(
      (error: unknown) => this.#emitFailure(error),
    );
    this.#trialProgress = await propose(this.#parts, this.#trialProgress);
    await this.#goOn();
  }

  async #evaluated(running: Running, attempt: Summing, summed: Summed): Promise<void> {
    const record = await evaluateAttempt(this.#parts, { running, attempt, summed });
    this.#succeeded();
    this.#post.evaluated(attempt);
    this.#waiters.resolve(record);
    this.ports.emit({ type: 'evaluated', task: this.config.name, record });
    await this.#goOn();
  }

  async #compared(running: Running, attempt: Summing, summed: Summed, trial: Trial): Promise<void> {
    const record = await compareAttempt(this.#parts, { running, attempt, summed, trial });
    this.#succeeded();
    this.#post.evaluated(attempt);
    this.ports.emit({ type: 'compared', task: this.config.name, record });
    await settle(this.#parts);
    await this.#goOn();
  }

  #succeeded(): void {
    this.#running = undefined;
    this.#spacing.succeeded();
  }

  async #abort(running: Running, reason: AttemptEndReason): Promise<void> {
    const record = await abortAttempt(this.#parts, running, reason);
    if (running.trial !== undefined) this.#failedLookAt = this.#log.history.round;
    this.#running = undefined;
    this.#post.aborted(running.attempt, reason);
    const againAfterMs = this.#spacing.failed(reason, record.durationMs, () => this.reconsider());
    this.ports.emit({ type: 'aborted', task: this.config.name, reason, record, againAfterMs });
    await this.#goOn();
  }

  async #goOn(): Promise<void> {
    for (const tell of this.#idle.splice(0)) tell();
    this.#lobby.wake(this.#log.history.round + 1);
    const standstill = this.#standstill;
    if (standstill !== undefined) this.#waiters.reject(standstill);
    if (isFinished(this.config, this.#log.history) || this.#stopped !== undefined) {
      const reason = this.#stopped ?? 'rounds-done';
      this.ports.emit({ type: 'finished', task: this.config.name, reason });
    }
    await this.#considerSelection();
  }

  /** Whether the noise of the fewest survivors would spend more than the budget; the task then stops. */
  #wouldOverspend(description: RoundDescription): boolean {
    const over = wouldOverspend(this.#parts, description);
    if (over) this.#stopped ??= 'privacy-budget-spent';
    return over;
  }

  #emitProgress(): void {
    this.ports.emit({ type: 'progress', task: this.config.name, status: this.status() });
  }

  #emitFailure(error: unknown): void {
    const fatal = error instanceof JournalWriteError;
    const told = error instanceof Error ? error : new Error(String(error));
    this.#waiters.reject(told);
    this.ports.emit({ type: 'failed', task: this.config.name, error: told, fatal });
  }
}
