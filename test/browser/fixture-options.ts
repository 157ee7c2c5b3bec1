import type { RecommenderOptions } from '@tutti/client-browser';
import { FILMS } from '../wire/federation.ts';

/** What a test page's person likes unless a test says otherwise. */
export const LIKES = FILMS.slice(40, 52);

/** How a test page opens a recommender. */
export const asked = (coordinator: string): RecommenderOptions => ({
  coordinator,
  task: 'films',
  policy: { smallestCohort: 2, insecureSmallCohort: true },
  backOff: { firstMs: 50, mostMs: 300 },
  answerEveryMs: 20,
  eligibility: { idleMs: 0 },
});
