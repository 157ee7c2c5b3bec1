import type { RoundDescription } from '@tutti/protocol';
import type { AttemptEnd } from './attempt-runner.ts';
import { wouldOverspend } from './budget.ts';
import { Later } from './later.ts';
import { describeNext, type Subject } from './opening.ts';
import { cohortForTrial, settle, trialIn } from './promotion.ts';
import { chooseCohort, wantedNext, type Cohort, type Wanted } from './selection.ts';
import type { Serial } from './serial.ts';
import { Spacing } from './spacing.ts';
import { isFinished } from './status.ts';
import type { TaskParts } from './task-parts.ts';
import { comparisonLanes, type Trial } from './trial.ts';

/** How long an attempt waits for more clients once the fewest wait. */
const SELECTION_MS = 2_000;

/** What a selector asks of its task. */
export interface SelectorTask {
  /** Whether an attempt may begin: none is going on, and the task runs. */
  isFree(): boolean;
  /** Whether somebody waits for a measurement of everybody. */
  isMeasured(): boolean;
  begin(description: RoundDescription, cohort: Cohort, subject: Subject): Promise<void>;
  /** One more round would spend more than the privacy budget. */
  budgetSpent(): Promise<void>;
}

/** Decides which attempt begins, with whom, and when. */
export class Selector {
  /** An attempt with fewer clients than it could have. */
  readonly #soon: Later;
  readonly #spacing: Spacing;
  /** The round after which a look at a candidate ended without its sum: there is none before the next. */
  #failedLookAt = -1;

  constructor(
    private readonly parts: TaskParts,
    private readonly serial: Serial,
    private readonly task: SelectorTask,
  ) {
    this.#soon = new Later(parts.ports.clock);
    this.#spacing = new Spacing(parts.ports.clock);
  }

  /** Opens an attempt when enough clients wait; with fewer, but enough for the smallest cohort, after a moment. */
  async consider(): Promise<void> {
    const next = this.#next();
    if (next === undefined) return;
    const { waiting } = this.parts.lobby;
    if (waiting >= next.clients) return this.#open(next);
    if (waiting >= next.least) this.#openSoon();
  }

  /** The next attempt need not wait for what came of those before: somebody asks for it. */
  release(): void {
    this.#spacing.release();
  }

  /** Nothing begins any more that was to. */
  callOff(): void {
    this.#soon.callOff();
    this.#spacing.release();
  }

  /** An attempt ended. @returns how long the next one waits because of it, in milliseconds. */
  ended(end: AttemptEnd): number {
    if (end.type !== 'aborted') this.#spacing.succeeded();
    if (end.type !== 'aborted') return 0;
    const { reason, record, trial } = end;
    if (trial !== undefined) this.#failedLookAt = this.parts.log.history.round;
    return this.#spacing.failed(reason, record.durationMs, () =>
      this.serial.enqueue(async () => this.consider()),
    );
  }

  /** What to do next; undefined where nothing may begin now. */
  #next(): Wanted | undefined {
    if (!this.task.isFree() || this.#spacing.holds) return undefined;
    const { config, log, lobby } = this.parts;
    const { connected } = lobby;
    const asked = { connected, evaluation: this.task.isMeasured(), trial: this.#trial() };
    return wantedNext(config, log.history, asked);
  }

  /** A candidate that waits for its next look. */
  #trial(): Trial | undefined {
    const { config, log } = this.parts;
    const failed = this.#failedLookAt === log.history.round && !isFinished(config, log.history);
    return failed ? undefined : trialIn(this.parts);
  }

  #openSoon(): void {
    this.#soon.once(this.parts.config.selectionMs ?? SELECTION_MS, () =>
      this.serial.enqueue(async () => {
        const now = this.#next();
        if (now === undefined || this.parts.lobby.waiting < now.least) return;
        await this.#open(now);
      }),
    );
  }

  async #open(wanted: Wanted): Promise<void> {
    const { purpose } = wanted;
    this.#soon.callOff();
    if (wanted.trial !== undefined) {
      const asked = cohortForTrial(this.parts, wanted.trial);
      if (asked !== undefined) return this.#openLook(wanted.trial, asked);
      if (purpose === 'evaluate') return this.#openSoon();
    }
    const { config, lobby, log, slices } = this.parts;
    const cohort = chooseCohort(config, lobby, wanted);
    if (cohort === undefined) return this.#openSoon();
    const slice = purpose === 'train' ? await slices?.publish(log.history) : undefined;
    const description = describeNext(this.parts, purpose, cohort.planned, { slice });
    if (wouldOverspend(this.parts, description)) return this.task.budgetSpent();
    return this.task.begin(description, cohort, { slice });
  }

  /** Lets a part of the devices compare a candidate with the incumbent. A budget that has no room for it ends the trial. */
  async #openLook(trial: Trial, cohort: Cohort): Promise<void> {
    const metrics = comparisonLanes(this.parts.config.promotion?.metric ?? 'hr@10', trial.sequence);
    const description = describeNext(this.parts, 'evaluate', cohort.planned, { metrics });
    if (!wouldOverspend(this.parts, description)) return this.task.begin(description, cohort, { trial });
    await settle(this.parts, { giveUp: true });
    return this.consider();
  }
}
