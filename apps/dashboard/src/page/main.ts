import type { CoordinationEvent, RoundRecord, TaskStatus } from '@tutti/coordination';
import { h, render } from 'preact';
import uplotStyle from 'uplot/dist/uPlot.min.css';
import { change, forgetToken, heldToken, useToken } from './operate.ts';
import { EMPTY, reduce, type DashboardEvent } from './state.ts';
import { Dashboard } from './view.ts';
import type { Actions } from './control.ts';

/** The page's only state, drawn anew at most once a frame. */
let state = EMPTY;
let drawing = false;
const place = document.getElementById('app') as HTMLElement;

function happen(event: DashboardEvent): void {
  state = reduce(state, event);
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    render(h(Dashboard, { state, actions }), place);
  });
}

async function json<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  return (await response.json()) as T;
}

/** Tells the person what came of their wish. */
function tell<T>(asked: Promise<T>, done: (answer: T) => void): void {
  asked.then(done, (error: unknown) =>
    happen({ type: 'problem', problem: error instanceof Error ? error.message : String(error) }),
  );
}

const actions: Actions = {
  useToken: (token) => tell(useToken(token), (operator) => happen({ type: 'operator', operator })),
  forgetToken() {
    forgetToken();
    happen({ type: 'operator', operator: undefined });
  },
  ask: (wish) => happen({ type: 'wish', wish }),
  confirm() {
    const { wish } = state;
    happen({ type: 'wish', wish: undefined });
    if (wish === undefined) return;
    tell(change(wish.task, wish.step), (status) => happen({ type: 'progress', task: wish.task, status }));
  },
};

/** Everything as it stands. What happens meanwhile is told by the stream, which was open before. */
async function read(): Promise<void> {
  const { tasks } = await json<{ tasks: TaskStatus[] }>('/v1/status');
  happen({
    type: 'read',
    tasks: await Promise.all(
      tasks.map(async (status) => {
        const path = `/v1/tasks/${encodeURIComponent(status.task)}/rounds`;
        return { status, rounds: (await json<{ rounds: RoundRecord[] }>(path)).rounds };
      }),
    ),
  });
}

const TYPES: readonly CoordinationEvent['type'][] = [
  'progress',
  'committed',
  'aborted',
  'evaluated',
  'finished',
  'run-changed',
  'task-opened',
];

function listen(): void {
  const stream = new EventSource('/v1/events');
  stream.addEventListener('open', () => {
    happen({ type: 'live', live: true });
    read().catch(() => happen({ type: 'live', live: false }));
  });
  stream.addEventListener('error', () => happen({ type: 'live', live: false }));
  for (const type of TYPES)
    stream.addEventListener(type, ({ data }: MessageEvent<string>) =>
      happen(JSON.parse(data) as CoordinationEvent),
    );
  stream.addEventListener('task-opened', () => {
    read().catch(() => happen({ type: 'live', live: false }));
  });
}

const style = document.createElement('style');
style.textContent = uplotStyle;
document.head.append(style);
place.replaceChildren();
happen({ type: 'live', live: false });
listen();
tell(heldToken(), (operator) => happen({ type: 'operator', operator }));
