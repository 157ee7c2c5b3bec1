import { given } from '@tutti/base';
import type { TokenSource } from '@tutti/client';
import type { RecommenderEvent } from '@tutti/client/sdk';
import type { PageState } from './conditions.ts';
import { sendError, type SentError } from './errors.ts';
import { openHost, type EngineParts, type Host } from './host.ts';
import type { Asked, Settings, Verb } from './verbs.ts';

/** What comes back from a call: a worker's errors would lose their class. */
export type Outcome = { readonly value: unknown } | { readonly error: SentError };

/** A host behind calls that can cross into a worker: structured clones, and callbacks. */
export interface Room {
  open(settings: Settings, hear: (event: RecommenderEvent) => void, token?: TokenSource): Promise<Outcome>;
  /** @param id the caller's own number of this call, for {@link Room.abort}. */
  call<V extends Verb>(id: number, verb: V, asked: Asked<V>): Promise<Outcome>;
  abort(id: number): Promise<void>;
  setPage(state: PageState): Promise<void>;
}

/** A room before anybody opened it. */
export function createRoom(engine: EngineParts): Room {
  let host: Host | undefined;
  /** What the page told while the host opened, such as its battery, which browsers tell a moment later. */
  let early: PageState | undefined;
  const calls = new Map<number, AbortController>();
  const outcomeOf = async (work: () => Promise<unknown>): Promise<Outcome> => {
    try {
      return { value: await work() };
    } catch (error) {
      return { error: sendError(error) };
    }
  };
  return {
    open: (settings, hear, token) =>
      outcomeOf(async () => {
        host = await openHost(settings, { ...engine, hear, ...given({ token }) });
        if (early !== undefined) host.setPage(early);
      }),
    async call(id, verb, asked) {
      const controller = new AbortController();
      calls.set(id, controller);
      const verbs = (host as Host).verbs as Record<
        Verb,
        (asked: unknown, signal: AbortSignal) => Promise<unknown>
      >;
      return outcomeOf(() => verbs[verb](asked, controller.signal)).finally(() => calls.delete(id));
    },
    abort: async (id) => calls.get(id)?.abort(),
    async setPage(state) {
      if (host === undefined) early = state;
      else host.setPage(state);
    },
  };
}
