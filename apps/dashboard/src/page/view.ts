import type { RoundRecord, TaskStatus } from '@tutti/coordination';
import { h, type ComponentChildren, type ComponentChild } from 'preact';
import { Chart } from './chart.ts';
import { Confirmation, OperatorField, RunControl, type Actions } from './control.ts';
import { counted, type DashboardState, type TaskView } from './state.ts';
import { bytes, duration, losses, PHASES, RESTING, share, shortHash, verdict } from './words.ts';

/** Rounds in the table: the newest. */
const SHOWN_ROUNDS = 15;

/** The whole page. */
export function Dashboard({
  state,
  actions,
}: {
  readonly state: DashboardState;
  readonly actions: Actions;
}): ComponentChild {
  return h(
    'div',
    null,
    h(
      'header',
      null,
      h('h1', null, 'Tutti coordinator'),
      h(
        'span',
        { class: state.live ? 'live' : 'gone', role: 'status' },
        state.live ? 'live' : 'no connection, trying again',
      ),
      h('a', { class: 'soft', href: '/v1/status' }, 'as JSON'),
      h(OperatorField, { state, actions }),
    ),
    h(
      'main',
      null,
      state.tasks.length === 0
        ? h('p', null, 'This coordinator has no task yet.')
        : state.tasks.map((task) => h(Task, { key: task.status.task, task, state, actions })),
    ),
    h(Confirmation, { state, actions }),
  );
}

function Task({
  task,
  state,
  actions,
}: {
  readonly task: TaskView;
  readonly state: DashboardState;
  readonly actions: Actions;
}): ComponentChild {
  const { status, rounds, aborted, judged } = task;
  const heading = `task-${status.task}`;
  return h(
    'section',
    { class: 'task', 'aria-labelledby': heading },
    h('h2', { id: heading }, `Task ${status.task}`),
    h(RunControl, { status, state, actions }),
    h(Now, { status }),
    judged === undefined ? null : h('p', { class: 'card' }, `The last candidate is ${verdict(judged)}.`),
    h(Tiles, { task }),
    h(Charts, { rounds }),
    h(Rounds, { rounds }),
    aborted.length > 0 ? h(Aborted, { aborted }) : null,
  );
}

/** What happens now: the phases in order, and who answered in this one. */
function Now({ status }: { readonly status: TaskStatus }): ComponentChild {
  const { phase, progress } = status;
  const rest = RESTING[phase];
  if (rest !== undefined) return h('p', { class: 'card' }, rest);
  const words = PHASES.find(([name]) => name === phase)?.[1] ?? phase;
  return h(
    'div',
    { class: 'card' },
    h(
      'ol',
      { class: 'phases', 'aria-label': 'phases of a round' },
      PHASES.map(([name, text]) =>
        h('li', { key: name, ...(name === phase ? { 'aria-current': 'step' } : {}) }, text),
      ),
    ),
    h('progress', { value: progress.done, max: Math.max(1, progress.total), 'aria-label': words }),
    h('div', { class: 'soft' }, `${words}: ${progress.done} of ${progress.total}`),
    status.run === 'paused' ? h('div', null, 'pausing: no round begins after this one') : null,
  );
}

function Tiles({ task: { status, rounds } }: { readonly task: TaskView }): ComponentChild {
  const last = rounds.at(-1);
  const up = rounds.reduce((sum, { upBytes }) => sum + upBytes, 0);
  const down = rounds.reduce((sum, { downBytes }) => sum + downBytes, 0);
  return h(
    'dl',
    { class: 'tiles' },
    h(Tile, { name: 'rounds' }, `${status.round}`, h('small', null, `of ${status.target}`)),
    h(
      Tile,
      { name: 'clients' },
      `${status.connected}`,
      h('small', null, `${status.waiting} of them waiting`),
    ),
    h(
      Tile,
      { name: 'HR@10 · NDCG@10' },
      `${share(last?.metrics.hr10)} · ${share(last?.metrics.ndcg10)}`,
      h('small', null, 'on held-out items, through the secure sum'),
    ),
    h(Epsilon, { status }),
    h(
      Tile,
      { name: 'travelled' },
      bytes(up + down),
      h('small', null, `${bytes(up)} up, ${bytes(down)} down`),
    ),
    h(
      Tile,
      { name: 'model' },
      h('code', null, shortHash(status.modelHash)),
      h(
        'small',
        null,
        last === undefined ? 'first weights' : `made from ${shortHash(last.previousModelHash)}`,
      ),
    ),
    h(Tile, { name: 'identity' }, status.identity, h('small', null, `noise: ${status.noise.mechanism}`)),
  );
}

function Tile({
  name,
  children,
}: {
  readonly name: string;
  readonly children?: ComponentChildren;
}): ComponentChild {
  return h('div', { class: 'card' }, h('dt', null, name), h('dd', null, children));
}

/** What the releases so far cost, against the budget where there is one. */
function Epsilon({ status: { epsilon, noise } }: { readonly status: TaskStatus }): ComponentChild {
  if (epsilon === null)
    return h(
      Tile,
      { name: 'ε' },
      'not counted',
      h('small', null, noise.multiplier > 0 ? `noise ${noise.multiplier} of the clipping norm` : 'no noise'),
    );
  const { coordinator, readers } = epsilon;
  const shown = coordinator ?? readers;
  const { epsilonBudget: budget, delta } = noise;
  const views = `against the coordinator ${coordinator === null ? 'none' : coordinator.toFixed(3)}, readers ${readers === null ? 'none' : readers.toFixed(3)}; δ = ${delta ?? 0}`;
  return h(
    Tile,
    { name: budget === null ? 'ε' : `ε, of a budget of ${budget}` },
    shown === null ? 'without bound' : shown.toFixed(2),
    budget === null || shown === null
      ? null
      : h('meter', {
          value: shown,
          min: 0,
          max: budget,
          high: 0.8 * budget,
          'aria-label': 'part of the privacy budget that is spent',
        }),
    h('small', null, views),
  );
}

function Charts({ rounds }: { readonly rounds: readonly RoundRecord[] }): ComponentChild {
  const at = rounds.map(({ round }) => round);
  const of = (pick: (record: RoundRecord) => number | null): (number | null)[] => rounds.map(pick);
  const whole = (value: number): string => String(Math.round(value));
  return h(
    'div',
    { class: 'charts' },
    h(Chart, {
      title: 'quality',
      rounds: at,
      figure: (value) => value.toFixed(2),
      lines: [
        { label: 'HR@10', values: of(({ metrics }) => metrics.hr10) },
        { label: 'NDCG@10', values: of(({ metrics }) => metrics.ndcg10) },
      ],
    }),
    h(Chart, {
      title: 'loss',
      rounds: at,
      figure: (value) => value.toPrecision(3),
      lines: [{ label: 'loss', values: of(({ loss }) => loss) }],
    }),
    h(Chart, {
      title: 'who came how far',
      rounds: at,
      figure: whole,
      lines: [
        { label: 'asked', values: of(({ selected }) => selected) },
        { label: 'in the cohort', values: of(({ cohort }) => cohort) },
        { label: 'in the sum', values: of(({ reported }) => reported) },
      ],
    }),
    h(Chart, {
      title: 'seconds a round',
      rounds: at,
      figure: (value) => value.toFixed(1),
      lines: [{ label: 'seconds', values: of(({ durationMs }) => durationMs / 1_000) }],
    }),
  );
}

const HEADINGS = [
  'round',
  'asked',
  'cohort',
  'in the sum',
  'lost',
  'up a client',
  'time',
  'loss',
  'HR@10',
  'NDCG@10',
  'ε',
  'model',
];

function Rounds({ rounds }: { readonly rounds: readonly RoundRecord[] }): ComponentChild {
  const shown = rounds.slice(-SHOWN_ROUNDS).reverse();
  return h(
    'div',
    { class: 'card wide', tabIndex: 0, role: 'region', 'aria-label': 'the newest rounds' },
    h(
      'table',
      null,
      h('caption', { class: 'soft' }, `the newest ${shown.length} of ${rounds.length} rounds`),
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          HEADINGS.map((text) => h('th', { key: text, scope: 'col' }, text)),
        ),
      ),
      h(
        'tbody',
        null,
        shown.map((record) =>
          h(
            'tr',
            { key: record.round },
            cellsOf(record).map((text, at) => h('td', { key: HEADINGS[at] }, text)),
          ),
        ),
      ),
    ),
  );
}

function cellsOf(record: RoundRecord): string[] {
  const { metrics, epsilon } = record;
  return [
    String(record.round),
    String(record.selected),
    String(record.cohort),
    String(record.reported),
    losses(record),
    bytes(record.upBytes / Math.max(1, record.reported)),
    duration(record.durationMs),
    record.loss === null ? '–' : record.loss.toFixed(4),
    share(metrics.hr10),
    share(metrics.ndcg10),
    epsilon?.coordinator?.toFixed(2) ?? epsilon?.readers?.toFixed(2) ?? '–',
    shortHash(record.modelHash),
  ];
}

function Aborted({ aborted }: { readonly aborted: TaskView['aborted'] }): ComponentChild {
  const reasons = counted(aborted.map(({ reason }) => reason));
  return h(
    'div',
    { class: 'card' },
    h('h3', null, 'attempts that came to nothing since this page was opened'),
    h(
      'ul',
      null,
      reasons.map(([reason, count]) => h('li', { key: reason }, `${count} × ${reason}`)),
    ),
  );
}
