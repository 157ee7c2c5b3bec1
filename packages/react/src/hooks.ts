import {
  openRecommender,
  type BrowserRecommender,
  type ConsentState,
  type Receipts,
  type Recommendation,
  type RecommenderOptions,
  type RecommendOptions,
} from '@tutti/client-browser';
import { useCallback, useEffect, useState } from 'react';

/** A recommender as a component sees it. */
export interface OpenedRecommender {
  /** Undefined until it is open, and after it was closed. */
  readonly tutti: BrowserRecommender | undefined;
  /** What the person said to taking part; undefined until it is known. */
  readonly consent: ConsentState | undefined;
  /** Why it could not be opened. */
  readonly problem: Error | undefined;
}

const CLOSED: OpenedRecommender = { tutti: undefined, consent: undefined, problem: undefined };

/**
 * A recommender that is open while the component is there. It is opened anew where the coordinator or the task changes; other options
 * count at the first time.
 */
export function useRecommender(options: RecommenderOptions): OpenedRecommender {
  const [opened, setOpened] = useState(CLOSED);
  const { coordinator, task } = options;
  useEffect(() => {
    const over = new AbortController();
    const opening = openRecommender({ ...options, signal: over.signal });
    opening.then(
      async (tutti) => {
        tutti.closed.addEventListener('abort', () =>
          setOpened((now) => (now.tutti === tutti ? CLOSED : now)),
        );
        tutti.on('consent', ({ state }) => setOpened((before) => ({ ...before, consent: state })));
        const consent = await tutti.consent.state().catch(() => undefined);
        if (!over.signal.aborted) setOpened({ tutti, consent, problem: undefined });
      },
      (problem: Error) => {
        if (!over.signal.aborted) setOpened({ ...CLOSED, problem });
      },
    );
    return () => {
      over.abort();
      setOpened(CLOSED);
      void opening.then((tutti) => tutti.close()).catch(() => undefined);
    };
    // Options are written in place, so that they are another object at each render.
  }, [coordinator, task]);
  return opened;
}

/** A list, and how it is asked for again. */
export interface Recommendations {
  readonly items: readonly Recommendation[];
  /** Why there is no newer list, such as a network that is away. */
  readonly problem: Error | undefined;
  /** After something was recorded. */
  readonly reload: () => void;
}

/**
 * The best items for the person; asked for again after each round that the device took part in, and where the options say something
 * else than before.
 */
export function useRecommendations(
  tutti: BrowserRecommender | undefined,
  options: RecommendOptions = {},
): Recommendations {
  const [list, setList] = useState<Omit<Recommendations, 'reload'>>({ items: [], problem: undefined });
  const [asked, setAsked] = useState(0);
  // Options are written in place, so that they are another object at each render.
  const wanted = JSON.stringify(options);
  useEffect(() => {
    if (tutti === undefined) {
      setList({ items: [], problem: undefined });
      return undefined;
    }
    const over = new AbortController();
    const ask = (): void =>
      void tutti.recommend({ ...(JSON.parse(wanted) as RecommendOptions), signal: over.signal }).then(
        (items) => setList({ items, problem: undefined }),
        (problem: Error) => {
          if (!over.signal.aborted) setList((before) => ({ ...before, problem }));
        },
      );
    ask();
    const unlisten = tutti.on('round', ask);
    return () => {
      over.abort();
      unlisten();
    };
  }, [tutti, wanted, asked]);
  return { ...list, reload: useCallback(() => setAsked((times) => times + 1), []) };
}

/** What left the device; undefined until it is known. */
export function useReceipts(tutti: BrowserRecommender | undefined): Receipts | undefined {
  const [receipts, setReceipts] = useState<Receipts>();
  useEffect(() => {
    if (tutti === undefined) {
      setReceipts(undefined);
      return undefined;
    }
    const over = new AbortController();
    const read = (): void =>
      void tutti
        .receipts({ signal: over.signal })
        .then(setReceipts)
        .catch(() => undefined);
    read();
    const unlisten = tutti.on('receipt', read);
    return () => {
      over.abort();
      unlisten();
    };
  }, [tutti]);
  return receipts;
}
