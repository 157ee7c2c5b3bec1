import type { CoordinationEvent, Funnel, Judgement, RoundRecord, TaskStatus } from '@tutti/coordination';
import type { Operator, Step } from './operate.ts';

/** What the page knows, as data. */
export interface DashboardState {
  /** Whether the event stream is open. */
  readonly live: boolean;
  readonly tasks: readonly TaskView[];
  /** Whose token the page holds; undefined for none. */
  readonly operator: Operator | undefined;
  /** What somebody is being asked whether they mean it. */
  readonly wish: { readonly task: string; readonly step: Step } | undefined;
  /** Why the last wish, or the token, came to nothing. */
  readonly problem: string | undefined;
}

/** One task: what it does now, what it did, and what came to nothing since the page was opened. */
export interface TaskView {
  readonly status: TaskStatus;
  /** Committed rounds, the oldest first. */
  readonly rounds: readonly RoundRecord[];
  /** Attempts that ended without a round, the newest last. */
  readonly aborted: readonly { readonly reason: string; readonly record: Funnel }[];
  /** How the last candidate was judged, since the page was opened. */
  readonly judged?: Judgement;
}

/** What changes it. */
export type DashboardEvent =
  | { readonly type: 'live'; readonly live: boolean }
  | {
      readonly type: 'read';
      readonly tasks: readonly { readonly status: TaskStatus; readonly rounds: readonly RoundRecord[] }[];
    }
  | { readonly type: 'operator'; readonly operator: Operator | undefined }
  | { readonly type: 'wish'; readonly wish: DashboardState['wish'] }
  | { readonly type: 'problem'; readonly problem: string }
  | CoordinationEvent;

export const EMPTY: DashboardState = {
  ...{ live: false, tasks: [], operator: undefined, wish: undefined, problem: undefined },
};

/** Attempts that came to nothing which are remembered. */
const MOST_ABORTED = 200;

/** The state after an event. Rounds are kept once, whether they were read or told. */
export function reduce(state: DashboardState, event: DashboardEvent): DashboardState {
  switch (event.type) {
    case 'live':
      return { ...state, live: event.live };
    case 'read':
      return {
        ...state,
        tasks: event.tasks.map(({ status, rounds }) => {
          const { aborted = [], judged } =
            state.tasks.find(({ status: { task } }) => task === status.task) ?? {};
          return { status, rounds, aborted, ...(judged === undefined ? {} : { judged }) };
        }),
      };
    case 'progress':
      return changed(state, event.task, (task) => ({ ...task, status: event.status }));
    case 'committed':
      return changed(state, event.task, (task) => ({
        ...task,
        rounds: [...task.rounds.filter(({ round }) => round < event.record.round), event.record],
        status: {
          ...task.status,
          round: event.record.round,
          modelHash: event.record.modelHash,
          epsilon: spentAfter(task, event.record),
        },
      }));
    case 'aborted':
      return changed(state, event.task, (task) => ({
        ...task,
        aborted: [...task.aborted, { reason: event.reason, record: event.record }].slice(-MOST_ABORTED),
      }));
    case 'model-judged':
      return changed(state, event.task, (task) => ({ ...task, judged: event }));
    case 'operator':
      return { ...state, operator: event.operator, problem: undefined };
    case 'wish':
      return { ...state, wish: event.wish, problem: undefined };
    case 'problem':
      return { ...state, problem: event.problem };
    case 'task-opened':
    case 'task-reopened':
    case 'run-changed':
    case 'model-promoted':
    case 'evaluated':
    case 'compared':
    case 'finished':
    case 'failed':
      return state;
  }
}

function changed(state: DashboardState, name: string, change: (task: TaskView) => TaskView): DashboardState {
  return { ...state, tasks: state.tasks.map((task) => (task.status.task === name ? change(task) : task)) };
}

/** How often each of some names stands there, the most frequent first. */
export function counted(names: readonly string[]): readonly (readonly [name: string, count: number])[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([, one], [, other]) => other - one);
}

/** ε after a round: what its record says, where ε is counted. */
function spentAfter({ status }: TaskView, { epsilon }: RoundRecord): TaskStatus['epsilon'] {
  if (epsilon === null || epsilon.readers === null) return status.epsilon;
  return { coordinator: epsilon.coordinator, readers: epsilon.readers };
}
