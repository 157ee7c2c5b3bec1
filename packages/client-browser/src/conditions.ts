import { given } from '@tutti/base';
import type { Conditions } from '@tutti/client';

/** When a device takes part, of what a browser tells. */
export interface Eligibility {
  /** How long a visible page is left alone after its person last touched it, in milliseconds; default 2000. */
  readonly idleMs: number;
  /** Whether a page that nobody sees takes part; default true. */
  readonly hidden: boolean;
  /** Least charge of a battery that is not charging, 0 to 1, where the browser tells; default 0.3. */
  readonly leastBattery: number;
  /** Whether to take part where the person asked their browser to save data; default false. */
  readonly saveData: boolean;
}

/** What applies unless the app asks for something else. */
export const DEFAULT_ELIGIBILITY: Eligibility = {
  idleMs: 2_000,
  hidden: true,
  leastBattery: 0.3,
  saveData: false,
};

/** What only a page can see. */
export interface PageState {
  readonly visible: boolean;
  /** When the person last touched the page, by the clock `performance.timeOrigin + performance.now()`. */
  readonly touchedAt: number;
  readonly battery?: { readonly charging: boolean; readonly level: number };
}

/** Where there is no page: a service worker. */
export const NO_PAGE: PageState = { visible: false, touchedAt: 0 };

/** Milliseconds that never go back, and are the same in a page and its worker. */
export const steadyNow = (): number => performance.timeOrigin + performance.now();

/** How long to wait for what changes without notice, in milliseconds. */
const LOOK_AGAIN_MS = 30_000;
const IDLE_AGAIN_MS = 1_000;

/** What all of the web may say of its connection; few browsers do. */
const connectionSavesData = (): boolean =>
  (navigator as { connection?: { saveData?: boolean } }).connection?.saveData === true;

/** The conditions of a browser. Once a round began, only a lost network ends it: leaving would cost the others. */
export function browserConditions(eligibility: Eligibility, page: () => PageState): Conditions {
  const no = (reason: string, retryAfterMs: number) => ({ eligible: false, reason, retryAfterMs }) as const;
  return {
    async check(moment) {
      if (navigator.onLine === false) return no('offline', IDLE_AGAIN_MS);
      if (moment === 'go-on') return { eligible: true };
      const { visible, touchedAt, battery } = page();
      if (connectionSavesData() && !eligibility.saveData) return no('save-data', LOOK_AGAIN_MS);
      if (battery !== undefined && !battery.charging && battery.level < eligibility.leastBattery)
        return no('battery', LOOK_AGAIN_MS);
      if (!visible) return eligibility.hidden ? { eligible: true } : no('hidden', IDLE_AGAIN_MS);
      const busyMs = eligibility.idleMs - (steadyNow() - touchedAt);
      return busyMs > 0 ? no('in-use', Math.min(IDLE_AGAIN_MS, busyMs)) : { eligible: true };
    },
  };
}

interface Battery extends EventTarget {
  readonly charging: boolean;
  readonly level: number;
}

/** What a person does when they use a page. */
const TOUCHES = ['pointerdown', 'keydown', 'wheel', 'touchmove', 'scroll'] as const;

/** Least time between two reports of touches, in milliseconds. */
const REPORT_EVERY_MS = 500;

/** Watches the page that this runs in, if it is one. @returns what ends it. */
export function watchPage(report: (state: PageState) => void): () => void {
  if (typeof document === 'undefined') return () => undefined;
  const over = new AbortController();
  const { signal } = over;
  let touchedAt = 0;
  let battery: PageState['battery'];
  const tell = (): void =>
    report({
      visible: document.visibilityState === 'visible',
      touchedAt,
      ...given({ battery }),
    });
  const touched = (): void => {
    const now = steadyNow();
    if (now - touchedAt < REPORT_EVERY_MS) return;
    touchedAt = now;
    tell();
  };
  document.addEventListener('visibilitychange', tell, { signal });
  for (const type of TOUCHES)
    document.addEventListener(type, touched, { signal, passive: true, capture: true });
  const { getBattery } = navigator as { getBattery?: () => Promise<Battery> };
  void getBattery?.call(navigator).then(
    (found) => {
      const changed = (): void => {
        battery = { charging: found.charging, level: found.level };
        if (!signal.aborted) tell();
      };
      for (const type of ['chargingchange', 'levelchange']) found.addEventListener(type, changed, { signal });
      changed();
    },
    () => undefined,
  );
  tell();
  return () => over.abort();
}
