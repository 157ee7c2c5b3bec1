import { utf8 } from '@tutti/base';
import type { ClientStore, Conditions } from '../ports.ts';

/** What the person said to taking part. */
export type ConsentState = 'granted' | 'withdrawn' | 'not-asked';

/** A person's consent to taking part. Recording and recommending need none. */
export interface Consent {
  /** Kept on the device until it is withdrawn. */
  grant(): Promise<void>;
  /** From now on nothing more is sent; a round that runs is left at once. What was summed before stays in the sum. */
  withdraw(): Promise<void>;
  state(): Promise<ConsentState>;
}

/** Key in the store. */
const CONSENT = 'consent';

/** How long to wait before asking again, where nothing tells of a change, in milliseconds. */
const ASK_AGAIN_MS = 60_000;

/** The consent that a store keeps. @param onChange hears of every answer, once it is kept. */
export function openConsent(store: ClientStore, onChange: (state: ConsentState) => void): Consent {
  const answer = async (state: ConsentState): Promise<void> => {
    await store.set(CONSENT, utf8(state));
    onChange(state);
  };
  return {
    grant: () => answer('granted'),
    withdraw: () => answer('withdrawn'),
    async state() {
      const kept = await store.get(CONSENT);
      const state = kept === undefined ? '' : new TextDecoder().decode(kept);
      return state === 'granted' || state === 'withdrawn' ? state : 'not-asked';
    },
  };
}

/** `conditions`, of which consent is the first. @param needed whether somebody has to be asked before. */
export function withConsent(consent: Consent, needed: boolean, conditions: Conditions): Conditions {
  return {
    async check(moment) {
      const state = await consent.state();
      const given = state === 'granted' || (state === 'not-asked' && !needed);
      return given
        ? conditions.check(moment)
        : { eligible: false, reason: 'consent-withdrawn', retryAfterMs: ASK_AGAIN_MS };
    },
  };
}
