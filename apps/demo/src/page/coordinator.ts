import type { CoordinationEvent, RoundRecord, TaskStatus } from '@tutti/coordination';
import type { Setting } from './setting.ts';
import type { DemoEvent } from './state.ts';

const TYPES: readonly CoordinationEvent['type'][] = ['progress', 'committed', 'aborted'];

/** What the coordinator tells everybody, as it happens. It comes back by itself after a lost connection. */
export function listenToCoordinator(setting: Setting, happen: (event: DemoEvent) => void): void {
  const stream = new EventSource(`${setting.coordinator}/v1/events`);
  stream.addEventListener('open', () => {
    happen({ type: 'live', live: true });
    read(setting)
      .then(happen)
      .catch(() => happen({ type: 'live', live: false }));
  });
  stream.addEventListener('error', () => happen({ type: 'live', live: false }));
  for (const type of TYPES)
    stream.addEventListener(type, ({ data }: MessageEvent<string>) => {
      const event = JSON.parse(data) as Extract<CoordinationEvent, { readonly task: string }>;
      if (event.task === setting.task) happen(event);
    });
}

/** Everything as it stands: what came before this page was opened. */
async function read({ coordinator, task }: Setting): Promise<DemoEvent> {
  const [{ tasks }, { rounds }] = await Promise.all([
    json<{ tasks: TaskStatus[] }>(`${coordinator}/v1/status`),
    json<{ rounds: RoundRecord[] }>(`${coordinator}/v1/tasks/${encodeURIComponent(task)}/rounds`),
  ]);
  return { type: 'read', status: tasks.find((status) => status.task === task), rounds };
}

/** JSON from an address. */
export async function json<T>(address: string): Promise<T> {
  const response = await fetch(address, { credentials: 'omit' });
  if (!response.ok) throw new Error(`${address}: status ${response.status}`);
  return (await response.json()) as T;
}
