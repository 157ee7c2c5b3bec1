import type { CoordinationEvent, RoundRecord, TaskStatus } from '@tutti/coordination';
import { h, render } from 'preact';
import uplotStyle from 'uplot/dist/uPlot.min.css';
import { EMPTY, reduce, type DashboardEvent } from './state.ts';
import { Dashboard } from './view.ts';

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
    render(h(Dashboard, { state }), place);
  });
}

async function json<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  return (await response.json()) as T;
}

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
}

const style = document.createElement('style');
style.textContent = uplotStyle;
document.head.append(style);
place.replaceChildren();
happen({ type: 'live', live: false });
listen();
