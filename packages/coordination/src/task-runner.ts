import type { ClientMessage, Reply, TaskInfo } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import { AttemptRunner, type AttemptEnd } from './attempt-runner.ts';
import { wouldOverspend } from './budget.ts';
import { registryOf } from './channel-change.ts';
import { pruneCheckpoints } from './checkpoints.ts';
import { JournalWriteError, TaskStoppedError } from './errors.ts';
import type { TaskStatus } from './events.ts';
import { refused } from './groups.ts';
import type { EvaluationRecord, RoundRecord, RunState } from './journal.ts';
import { describeNext, eventOf } from './opening.ts';
import type { RunnerPorts } from './ports.ts';
import { propose, settle, type TrialProgress } from './promotion.ts';
import type { Registry } from './registry.ts';
import { changeRun } from './run-state.ts';
import { roomFor } from './selection.ts';
import { Selector } from './selector.ts';
import { Serial } from './serial.ts';
import { isFinished, taskInfo, taskStatus } from './status.ts';
import type { TaskConfig } from './task-config.ts';
import { openTask, taskParts, type TaskParts } from './task-parts.ts';
import { Waiters } from './waiters.ts';

/** When a client is to come back whose coordinator is about to stop, in milliseconds. */
const DRAINING_RETRY_MS = 5_000;

/** When a client is to come back whose task was stopped for good, in milliseconds. */
const STOPPED_RETRY_MS = 600_000;

/** How many rounds go by before a client is asked again whose privacy budget was spent, or which was there too recently. */
const REST_ROUNDS = 10;

/**
 * Runs one task: clients and operators come here, one after another; a {@link Selector} decides which attempt begins, an
 * {@link AttemptRunner} carries it out. The journal is written before anything is acknowledged or announced.
 */
export class TaskRunner {
  readonly #parts: TaskParts;
  readonly #serial: Serial;
  readonly #waiters = new Waiters();
  readonly #selector: Selector;
  readonly #attempts: AttemptRunner;
  #stopped: 'privacy-budget-spent' | 'stopped' | undefined;
  #draining = false;
  #successor: TaskRunner | undefined;
  #idle: (() => void)[] = [];
  #trialProgress: TrialProgress | undefined;
  /** Its models, and which of them clients rank with. */
  readonly registry: Registry;

  constructor(
    readonly config: TaskConfig,
    private readonly ports: RunnerPorts,
  ) {
    this.#parts = taskParts(config, ports);
    this.#serial = new Serial((error) => this.#emitFailure(error));
    this.#attempts = new AttemptRunner(this.#parts, this.#serial, {
      progress: () => this.#emitProgress(),
      failed: (error) => this.#emitFailure(error),
      ended: (end) => this.#ended(end),
    });
    this.#selector = new Selector(this.#parts, this.#serial, {
      isFree: () => this.#attempts.attempt === undefined && this.#standstill === undefined && !this.#draining,
      isMeasured: () => this.#waiters.any,
      begin: (...described) => this.#attempts.begin(...described),
      budgetSpent: () => this.#budgetSpent(),
    });
    this.registry = registryOf(this.#parts, this.#serial);
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
    const { slices, log } = this.#parts;
    if (slices !== undefined || isFinished(this.config, log.history)) return;
    const next = describeNext(this.#parts, 'train', this.config.cohort.planned);
    if (wouldOverspend(this.#parts, next)) this.#stopped ??= 'privacy-budget-spent';
  }

  info(): TaskInfo {
    return taskInfo(this.config, this.#parts.log.history, this.#parts, this.ports.keyPair.publicKey);
  }

  status(): TaskStatus {
    const { log, lobby } = this.#parts;
    const isSpent = this.#stopped === 'privacy-budget-spent';
    return taskStatus(this.config, log, lobby, this.#attempts.attempt, isSpent);
  }

  rounds(): readonly RoundRecord[] {
    return this.#parts.log.history.rounds;
  }

  connected(client: ClientId): void {
    this.#parts.lobby.enter(client);
    this.#serial.enqueue(async () => this.#attempts.remind(client));
  }

  disconnected(client: ClientId): void {
    this.#parts.lobby.leave(client);
    this.#attempts.left();
  }

  /**
   * Gives way to the runner that `open` gives: who is here goes there, and so does whatever is still asked here.
   * Between attempts alone; `open` may write to the journal, nothing else does meanwhile.
   */
  async handOver(open: () => Promise<TaskRunner>): Promise<void> {
    await this.#serial.run(async () => {
      const next = await open();
      next.#parts.lobby.takeOver(this.#parts.lobby);
      this.#successor = next;
    });
    this.#selector.callOff();
    this.#successor?.reconsider();
  }

  /**
   * Gives way to the runner that `open` gives, which goes on with what the journal holds: this one could not write to it. The attempt
   * that is open ends as it does when a coordinator is started again. @throws what `open` throws; nothing has changed then.
   */
  async startAgain(open: () => Promise<TaskRunner>): Promise<void> {
    await this.handOver(async () => {
      const next = await open();
      this.#attempts.forget('coordinator-restarted');
      for (const tell of this.#idle.splice(0)) tell();
      return next;
    });
  }

  /** Begins what can begin now. */
  reconsider(): void {
    this.#serial.enqueue(async () => this.#selector.consider());
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
        this.#attempts.event(attempt, { type: 'input-counted', client }),
    );
  }

  /** Measures everybody who is connected, through a secure sum, when the current attempt is over. */
  evaluate(): Promise<EvaluationRecord> {
    const standstill = this.#standstill;
    if (standstill !== undefined) return Promise.reject(standstill);
    const measured = this.#waiters.next();
    this.#selector.release();
    this.reconsider();
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
      this.#selector.release();
      if (this.#attempts.attempt === undefined) await this.#goOn();
      else if (run === 'stopped') await this.#attempts.abort('task-stopped');
      this.#emitProgress();
      return change;
    });
    // Whoever asked for it hears of it; it is no failure of the task.
    if (changed === 'refused') throw new TaskStoppedError(this.config.name, 'stopped');
  }

  /** Why nothing begins that somebody could wait for. */
  get #standstill(): TaskStoppedError | undefined {
    const { run } = this.#parts.log.history;
    const reason = this.#stopped ?? (run === 'running' ? undefined : run);
    return reason && new TaskStoppedError(this.config.name, reason);
  }

  /**
   * Opens no further attempt. @returns a promise that resolves when the one that is going on has ended; it waits for no client that
   * is gone and stays away.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#selector.callOff();
    // An attempt may be about to open: it counts as going on.
    await this.#serial.run(async () => undefined);
    if (this.#attempts.attempt === undefined) return;
    this.#attempts.waitForNobody();
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async close(): Promise<void> {
    this.#stopped ??= 'stopped';
    await this.#serial.run(async () => this.#attempts.abort('task-stopped'));
    this.#selector.callOff();
    this.#attempts.close();
    this.#waiters.reject(new TaskStoppedError(this.config.name, this.#stopped));
  }

  async #answer(client: ClientId, message: ClientMessage): Promise<Reply> {
    const { lobby, log } = this.#parts;
    switch (message.type) {
      case 'hello':
        return refused('malformed', 'a greeting is for the server', 'type');
      case 'check-in':
        if (this.#draining) return { type: 'later', retryAfterMs: DRAINING_RETRY_MS };
        if (log.history.run === 'stopped') return { type: 'later', retryAfterMs: STOPPED_RETRY_MS };
        this.reconsider();
        return lobby.checkIn(client, roomFor(this.config));
      case 'masked-input':
        return this.#attempts.frame(client, message);
      case 'decline':
        if (message.reason === 'privacy-budget-spent') lobby.rest(client, log.history.round + REST_ROUNDS);
        return this.#attempts.event(message.attempt, eventOf(client, message));
      default:
        return this.#attempts.event(message.attempt, eventOf(client, message));
    }
  }

  /** Tells how an attempt ended, and goes on. */
  async #ended(end: AttemptEnd): Promise<void> {
    const { config, ports } = this;
    const { post } = this.#parts;
    const task = config.name;
    const againAfterMs = this.#selector.ended(end);
    switch (end.type) {
      case 'committed':
        post.committed(end.attempt, end.record);
        ports.emit({ type: 'committed', task, record: end.record });
        await this.#roundMade(end);
        break;
      case 'evaluated':
        post.evaluated(end.attempt);
        this.#waiters.resolve(end.record);
        ports.emit({ type: 'evaluated', task, record: end.record });
        break;
      case 'compared':
        post.evaluated(end.attempt);
        ports.emit({ type: 'compared', task, record: end.record });
        await settle(this.#parts);
        break;
      case 'aborted':
        post.aborted(end.attempt, end.reason);
        ports.emit({ type: 'aborted', task, reason: end.reason, record: end.record, againAfterMs });
    }
    await this.#goOn();
  }

  /** The round counts; a checkpoint that cannot be removed only takes room. */
  async #roundMade({ before }: Extract<AttemptEnd, { type: 'committed' }>): Promise<void> {
    const { config, log, ports } = this.#parts;
    await pruneCheckpoints(before, log.history, config.keepCheckpoints, ports.blobs).catch((error: unknown) =>
      this.#emitFailure(error),
    );
    this.#trialProgress = await propose(this.#parts, this.#trialProgress);
  }

  async #budgetSpent(): Promise<void> {
    this.#stopped ??= 'privacy-budget-spent';
    await settle(this.#parts, { giveUp: true });
    await this.#goOn();
  }

  async #goOn(): Promise<void> {
    const { log, lobby } = this.#parts;
    for (const tell of this.#idle.splice(0)) tell();
    lobby.wake(log.history.round + 1);
    const standstill = this.#standstill;
    if (standstill !== undefined) this.#waiters.reject(standstill);
    if (isFinished(this.config, log.history) || this.#stopped !== undefined) {
      const reason = this.#stopped ?? 'rounds-done';
      this.ports.emit({ type: 'finished', task: this.config.name, reason });
    }
    await this.#selector.consider();
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
