/**
 * The client SDK for web pages: record what a person does, recommend in their browser, take part in rounds once they consent. All
 * work is done in a worker.
 *
 * ```ts
 * import { openRecommender } from '@tutti/client-browser';
 *
 * const tutti = await openRecommender({ coordinator: 'https://fl.example.org', task: 'films' });
 * await tutti.record({ item: 'tt0111161', kind: 'like' }); // stays in this browser
 * console.log(await tutti.recommend({ k: 10 })); // computed here
 * await tutti.consent.grant(); // from now on it takes part
 * console.log((await tutti.receipts()).list.map(({ text }) => text)); // what left
 * ```
 */
export type { DevicePrivacy } from '@tutti/client';
export type {
  ConsentState,
  Interaction,
  Receipt,
  Receipts,
  Reason,
  Recommendation,
  RecommenderEvents,
  RecommendOptions,
  SimilarOptions,
} from '@tutti/client/sdk';
export { DEFAULT_ELIGIBILITY } from './conditions.ts';
export type { Eligibility } from './conditions.ts';
export { DamagedStoreError, StorageFullError } from './errors.ts';
export type { BrowserRecommender, Waiting, Warning } from './facade.ts';
export { openRecommender } from './open-recommender.ts';
export type { RecommenderOptions } from './open-recommender.ts';
