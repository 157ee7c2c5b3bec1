import type { IdentityLevel } from '@tutti/identity';
import type { Spent } from '@tutti/privacy';
import type { Channel } from '@tutti/protocol';
import type {
  AttemptEndReason,
  ComparisonRecord,
  EvaluationRecord,
  Funnel,
  Judgement,
  RoundRecord,
  RunState,
} from './journal.ts';

/** What a task is doing. */
export interface TaskStatus {
  readonly task: string;
  /** How sure clients can be of each other. */
  readonly identity: IdentityLevel;
  /** Updates made, of how many. */
  readonly round: number;
  readonly target: number;
  readonly attempt: number;
  readonly phase:
    | 'select'
    | 'train'
    | 'reveal-nonces'
    | 'share-keys'
    | 'masked-input'
    | 'survivors'
    | 'unmask'
    | 'sum'
    | 'failed'
    | 'finished'
    /** Nothing more is released: one more round would cost more than the privacy budget. */
    | 'budget-spent'
    | 'paused'
    | 'stopped';
  /** What whoever operates it wants: an attempt that is going on when it is paused ends first. */
  readonly run: RunState;
  /** Who answered in this phase, of how many. */
  readonly progress: { readonly done: number; readonly total: number };
  readonly connected: number;
  readonly waiting: number;
  readonly modelHash: string;
  /** ε spent so far, from both points of view; null where it is not counted. */
  readonly epsilon: Spent | null;
  /** What noise its sums carry: z of the delta lanes, δ and budget where ε is counted. */
  readonly noise: {
    readonly mechanism: string;
    readonly multiplier: number;
    readonly delta: number | null;
    readonly epsilonBudget: number | null;
  };
}

/** What operators and dashboards hear. Told only after the journal holds it. */
export type CoordinationEvent =
  | { readonly type: 'progress'; readonly task: string; readonly status: TaskStatus }
  | { readonly type: 'committed'; readonly task: string; readonly record: RoundRecord }
  | {
      readonly type: 'aborted';
      readonly task: string;
      readonly reason: AttemptEndReason;
      readonly record: Funnel;
      /** No other begins sooner, so that one that nobody takes part in does not follow the other; 0 where it may at once. */
      readonly againAfterMs: number;
    }
  /** One more task is there. Not told of those that were there at the start. */
  | { readonly type: 'task-opened'; readonly task: string }
  /** The journal of a task that stood still can be written again: it goes on from what that holds. */
  | { readonly type: 'task-reopened'; readonly task: string }
  | {
      readonly type: 'model-promoted';
      readonly task: string;
      readonly channel: Channel;
      readonly step: 'promote' | 'rollback';
      readonly by: string;
      /** The checkpoint that the channel has from now on; null for none. */
      readonly modelHash: string | null;
    }
  | { readonly type: 'run-changed'; readonly task: string; readonly run: RunState; readonly by: string }
  | { readonly type: 'evaluated'; readonly task: string; readonly record: EvaluationRecord }
  /** One look at a candidate ended. */
  | { readonly type: 'compared'; readonly task: string; readonly record: ComparisonRecord }
  /** A candidate was judged for good: `model-promoted` says what came of it. */
  | ({ readonly type: 'model-judged'; readonly task: string } & Judgement)
  | {
      readonly type: 'finished';
      readonly task: string;
      readonly reason: 'rounds-done' | 'privacy-budget-spent' | 'stopped';
    }
  /** `fatal`: the journal cannot be written; the task stands still until it can be, or until the coordinator is started again. */
  | { readonly type: 'failed'; readonly task: string; readonly error: Error; readonly fatal: boolean };
