import type { TaskStatus } from '@tutti/coordination';

/** The phases of a task's rounds, as a coordinator tells them while they happen. */
export interface Phases {
  /** Resolves when a round comes into a phase; after `limitMs` in any case. @returns whether it came. */
  until(phase: TaskStatus['phase'], limitMs?: number): Promise<boolean>;
  close(): void;
}

/** Between two tries to listen, in milliseconds. */
const AGAIN_MS = 100;

/** Listens to `/v1/events`, again where the connection breaks. @param aborted hears why attempts ended. */
export function watchPhases(url: string, aborted: (reason: string) => void): Phases {
  const stop = new AbortController();
  const waiting = new Map<string, (() => void)[]>();
  function hear(line: string): void {
    if (!line.startsWith('data: ')) return;
    const event = JSON.parse(line.slice(6)) as { type: string; status?: TaskStatus; reason?: string };
    if (event.type === 'aborted' && event.reason !== undefined) aborted(event.reason);
    const phase = event.status?.phase ?? '';
    for (const came of waiting.get(phase) ?? []) came();
    waiting.delete(phase);
  }
  async function listen(): Promise<void> {
    const { body } = await fetch(`${url}/v1/events`, { signal: stop.signal });
    if (body === null) return;
    let rest = '';
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) hear(line);
    }
  }
  async function keepListening(): Promise<void> {
    while (!stop.signal.aborted) {
      await listen().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
  void keepListening();
  return {
    until: (phase, limitMs = 5_000) =>
      new Promise((resolve) => {
        const tooLate = setTimeout(() => resolve(false), limitMs);
        const came = (): void => {
          clearTimeout(tooLate);
          resolve(true);
        };
        waiting.set(phase, [...(waiting.get(phase) ?? []), came]);
      }),
    close: () => stop.abort(),
  };
}
