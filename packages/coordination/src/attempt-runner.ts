import { wipe } from '@tutti/base';
import { wipeUpload, type ClientMessageOf, type Reply, type RoundDescription } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import type { Attempt, AttemptEvent, Effect, Summing } from './attempt-state.ts';
import { awaitedIn, inputGroupOf, pendingMessage } from './attempt-view.ts';
import { stepAttempt } from './attempt.ts';
import { countUnmasking } from './budget.ts';
import { sumAttempt, type Summed } from './commit.ts';
import {
  abortAttempt,
  commitAttempt,
  compareAttempt,
  evaluateAttempt,
  forgetSent,
  type Running,
} from './ending.ts';
import { JournalWriteError } from './errors.ts';
import { refused } from './groups.ts';
import type {
  AttemptEndReason,
  ComparisonRecord,
  EvaluationRecord,
  Funnel,
  NoiseDraw,
  RoundRecord,
} from './journal.ts';
import type { TaskHistory } from './history.ts';
import { Later } from './later.ts';
import { beginAttempt, type Subject } from './opening.ts';
import type { Cohort } from './selection.ts';
import type { Serial } from './serial.ts';
import type { TaskParts } from './task-parts.ts';
import type { Trial } from './trial.ts';

const NO_SUCH_ATTEMPT = refused('unknown-attempt', 'there is no such attempt now');

/** Phases in which nobody is asked for an input yet. */
const BEFORE_INPUTS: ReadonlySet<Attempt['phase']> = new Set(['train', 'reveal-nonces', 'share-keys']);

/** How long a client may be gone that a coordinator waits for which is about to stop: longer than a lost connection takes to be there again, in milliseconds. */
const GONE_MS = 3_000;

/** How often is looked whether a phase waits for nobody but clients that are gone, in milliseconds; it ends where two looks one after the other find so. */
const LOOK_MS = 10_000;

/** How an attempt ended; the journal holds it. */
export type AttemptEnd =
  | {
      readonly type: 'committed';
      readonly attempt: Attempt;
      readonly record: RoundRecord;
      readonly before: TaskHistory;
    }
  | { readonly type: 'evaluated'; readonly attempt: Attempt; readonly record: EvaluationRecord }
  | { readonly type: 'compared'; readonly attempt: Attempt; readonly record: ComparisonRecord }
  | {
      readonly type: 'aborted';
      readonly attempt: Attempt;
      readonly record: Funnel;
      readonly reason: AttemptEndReason;
      readonly trial: Trial | undefined;
    };

/** Who hears of an attempt. */
export interface AttemptListener {
  /** It came further, or somebody answered. */
  progress(): void;
  /** A mistake of ours; the attempt ends by name. */
  failed(error: unknown): void;
  /** It is over, and the next may begin. */
  ended(end: AttemptEnd): Promise<void>;
}

/**
 * Runs the attempt that is going on, where one is: applies events to its pure core and carries out its effects, one after another. The journal
 * is written before anybody hears of anything.
 */
export class AttemptRunner {
  #running: Running | undefined;
  /** While the task drains: the end of a phase whose clients are all gone. */
  readonly #gone: Later;
  /** The same at any time, once a client left: by looks, so that leaving costs nothing where many do. */
  readonly #look: Later;
  /** The attempt in which the last look found nobody, and nobody came since. */
  #deserted: Attempt | undefined;
  #draining = false;

  constructor(
    private readonly parts: TaskParts,
    private readonly serial: Serial,
    private readonly listener: AttemptListener,
  ) {
    this.#gone = new Later(parts.ports.clock);
    this.#look = new Later(parts.ports.clock);
  }

  /** The attempt that is going on. */
  get attempt(): Attempt | undefined {
    return this.#running?.attempt;
  }

  async begin(description: RoundDescription, cohort: Cohort, subject: Subject): Promise<void> {
    const { running, effects, selected } = await beginAttempt(this.parts, description, cohort, subject);
    this.#running = running;
    for (const effect of effects) this.#apply(running, effect);
    this.parts.post.describe(running.attempt, selected);
    this.listener.progress();
  }

  /** A client is there again: it is asked again what it has not answered. */
  remind(client: ClientId): void {
    const { attempt } = this;
    this.#deserted = undefined;
    if (attempt === undefined) return;
    const pending = pendingMessage(attempt, client);
    if (pending === 'describe') this.parts.post.describe(attempt, [client]);
    else if (pending !== undefined) this.parts.post.send(attempt, client, pending);
  }

  async event(attempt: number, event: AttemptEvent): Promise<Reply> {
    const running = this.#runningAttempt(attempt);
    if (running === undefined) return NO_SUCH_ATTEMPT;
    const before = running.attempt.phase;
    const step = stepAttempt(running.attempt, event, (bound) => this.parts.lobby.draw(bound));
    running.attempt = step.attempt;
    if (before === 'masked-input' && step.attempt.phase !== before) running.uploads.clear();
    if (before !== 'unmask' && step.attempt.phase === 'unmask')
      await countUnmasking(this.parts, step.attempt);
    for (const effect of step.effects) this.#apply(running, effect);
    if (step.attempt.phase !== before || event.type !== 'deadline') this.listener.progress();
    if (step.attempt.phase !== before) await this.#endIfOver(running, step.attempt);
    if (this.#draining) this.waitForNobody();
    return step.reply;
  }

  async frame(client: ClientId, frame: ClientMessageOf<'masked-input'>): Promise<Reply> {
    const running = this.#runningAttempt(frame.attempt);
    const group = running === undefined ? NO_SUCH_ATTEMPT : inputOf(running.attempt, client);
    if (running === undefined || typeof group !== 'number') {
      wipe(frame.bytes);
      // It is counted already, and its client did not hear so; or it comes too late.
      return typeof group === 'object' ? group : this.event(frame.attempt, { type: 'input-counted', client });
    }
    const { clock, sums } = this.parts.ports;
    const taken = running.uploads.take(client, frame, clock.now());
    if (taken.kind === 'reply') return taken.reply;
    sums.add({ attempt: frame.attempt, group }, taken.upload);
    wipeUpload(taken.upload);
    return this.event(frame.attempt, { type: 'input-counted', client });
  }

  /** Ends the attempt that is going on, by name. */
  async abort(reason: AttemptEndReason): Promise<void> {
    if (this.#running !== undefined) await this.#abort(this.#running, reason);
  }

  /** Forgets the attempt that is going on, which the journal cannot hold; its clients hear why. */
  forget(reason: AttemptEndReason): void {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    forgetSent(this.parts, running);
    this.parts.post.aborted(running.attempt, reason);
  }

  /** From now on, a phase in which everybody who is waited for is gone, and does not come again, ends before its deadline. */
  waitForNobody(): void {
    this.#draining = true;
    if (!this.#isForNobody()) return;
    this.#gone.once(GONE_MS, () =>
      this.serial.enqueue(async () => {
        const { attempt } = this;
        if (attempt === undefined || !this.#isForNobody()) return;
        await this.event(attempt.description.attempt, { type: 'deadline', phase: attempt.phase });
      }),
    );
  }

  /** A client is gone. */
  left(): void {
    if (this.#draining) this.waitForNobody();
    else if (this.attempt !== undefined) this.#lookLater();
  }

  close(): void {
    this.#gone.callOff();
    this.#look.callOff();
  }

  #lookLater(): void {
    this.#look.once(LOOK_MS, () => this.serial.enqueue(async () => this.#lookForSomebody()));
  }

  /** Ends a phase in which everybody who is waited for has been gone since the look before. */
  async #lookForSomebody(): Promise<void> {
    const { attempt } = this;
    if (attempt === undefined) return;
    const before = this.#deserted;
    this.#deserted = this.#isForNobody() ? attempt : undefined;
    if (before !== undefined && this.#deserted === before)
      await this.event(attempt.description.attempt, { type: 'deadline', phase: attempt.phase });
    // Whoever left is waited for in this phase or in one that comes.
    if (this.attempt !== undefined) this.#lookLater();
  }

  #isForNobody(): boolean {
    const awaited = this.attempt === undefined ? [] : awaitedIn(this.attempt);
    return awaited.length > 0 && !awaited.some((client) => this.parts.lobby.isHere(client));
  }

  #runningAttempt(attempt: number): Running | undefined {
    return this.attempt?.description.attempt === attempt ? this.#running : undefined;
  }

  #apply(running: Running, effect: Effect): void {
    const { post, ports } = this.parts;
    const { attempt, lanes, protection } = running.attempt.description;
    switch (effect.type) {
      case 'send':
        post.send(running.attempt, effect.client, effect.message);
        return;
      case 'open-sum':
        if (protection === 'secure') ports.unmasker.prepare();
        ports.sums.open({ attempt, group: effect.group }, lanes.length);
        return;
      case 'timer':
        running.cancelTimer();
        running.cancelTimer = ports.clock.after(effect.afterMs, () =>
          this.serial.enqueue(async () => this.event(attempt, { type: 'deadline', phase: effect.phase })),
        );
    }
  }

  async #endIfOver(running: Running, attempt: Attempt): Promise<void> {
    if (attempt.phase === 'failed') await this.#abort(running, attempt.reason);
    if (attempt.phase === 'sum') await this.#sum(running, attempt);
  }

  /** Ends an attempt with its sum. A mistake of ours ends it too, by name: nothing hangs. */
  async #sum(running: Running, attempt: Summing): Promise<void> {
    const { config, ports, log } = this.parts;
    running.cancelTimer();
    try {
      const noise = await this.parts.noise.of(attempt.description, log.history);
      const summed = await sumAttempt(config, attempt, ports, noise?.lanes);
      if (typeof summed === 'string') await this.#abort(running, summed);
      else await this.#keep(running, attempt, summed, noise?.draw);
    } catch (error) {
      if (error instanceof JournalWriteError || this.#running !== running) throw error;
      this.listener.failed(error);
      await this.#abort(running, 'internal-error');
    }
  }

  /** Writes down what came of an attempt: a round, a measurement, or a look at a candidate. */
  async #keep(
    running: Running,
    attempt: Summing,
    summed: Summed,
    noiseDraw: NoiseDraw | undefined,
  ): Promise<void> {
    const { trial } = running;
    if (trial !== undefined) {
      const record = await compareAttempt(this.parts, { running, attempt, summed, trial });
      return this.#end({ type: 'compared', attempt, record });
    }
    if (attempt.description.purpose === 'evaluate') {
      const record = await evaluateAttempt(this.parts, { running, attempt, summed });
      return this.#end({ type: 'evaluated', attempt, record });
    }
    const before = this.parts.log.history;
    const record = await commitAttempt(this.parts, { running, attempt, summed, noiseDraw });
    return this.#end({ type: 'committed', attempt, record, before });
  }

  async #abort(running: Running, reason: AttemptEndReason): Promise<void> {
    const record = await abortAttempt(this.parts, running, reason);
    const { attempt, trial } = running;
    return this.#end({ type: 'aborted', attempt, record, reason, trial });
  }

  async #end(end: AttemptEnd): Promise<void> {
    this.#running = undefined;
    await this.listener.ended(end);
  }
}

/** The group that a client's input is for, or why it is not taken; undefined where it is asked for nothing. */
function inputOf(attempt: Attempt, client: ClientId): number | Reply | undefined {
  if (BEFORE_INPUTS.has(attempt.phase)) return refused('wrong-phase', `an input in phase ${attempt.phase}`);
  const group = inputGroupOf(attempt, client);
  return group === 'none' ? refused('not-in-cohort', 'this client is not asked for an input') : group;
}
