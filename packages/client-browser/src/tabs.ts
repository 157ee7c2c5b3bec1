import type { ConsentState } from '@tutti/client/sdk';

/** What tabs with the same store tell each other. */
export type TabMessage =
  | { readonly type: 'recorded' }
  | { readonly type: 'consent'; readonly state: ConsentState }
  | { readonly type: 'forgotten' };

/** The tabs of one origin, coordinator and task. */
export interface Tabs {
  /** Runs `work` while no other tab runs any: when they have closed, crashed or stopped. */
  alone(signal: AbortSignal, work: () => Promise<void>): Promise<void>;
  /** Tells the others. */
  tell(message: TabMessage): void;
  close(): void;
}

/** @returns undefined where the browser has no Web Locks: over plain http. */
export function openTabs(
  name: string,
  hear: { recorded(): void; consent(state: ConsentState): void; forgotten(): void },
): Tabs | undefined {
  const locks = (navigator as { locks?: LockManager }).locks;
  if (locks === undefined) return undefined;
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
    if (data.type === 'recorded') hear.recorded();
    else if (data.type === 'forgotten') hear.forgotten();
    else hear.consent(data.state);
  };
  return {
    async alone(signal, work) {
      await locks.request(name, { signal }, work);
    },
    tell: (message) => channel.postMessage(message),
    close: () => channel.close(),
  };
}
