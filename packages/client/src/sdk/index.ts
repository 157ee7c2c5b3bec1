/**
 * What the SDKs of all runtimes are made of: the person's history, the task and its tables, consent, receipts, and taking part, over
 * ports for storage, network, keys and the engine. An app takes `@tutti/client-node` or `@tutti/client-browser`.
 *
 * ```ts
 * import { memoryClientStore } from '@tutti/client';
 * import { openHistory } from '@tutti/client/sdk';
 *
 * const history = openHistory(memoryClientStore(), () => Date.now());
 * await history.record({ item: 'tt0111161', kind: 'like' });
 * console.log((await history.all()).length);
 * ```
 */
export type { Consent, ConsentState } from './consent.ts';
export { WrongCoordinatorError } from './errors.ts';
export { openListeners } from './events.ts';
export type { Listeners, RecommenderEvents } from './events.ts';
export type { HeldOut } from './examples.ts';
export { openHistory } from './history.ts';
export type { History } from './history.ts';
export { addressOf, openDownloads } from './http.ts';
export type { Downloads, Fetch } from './http.ts';
export type { Interaction } from './interactions.ts';
export type { Reason, Recommendation, RecommendOptions, SimilarOptions } from './lists.ts';
export { checkCommonOptions } from './options.ts';
export { receiptText, sizeText } from './receipts.ts';
export type { Receipt, ReceiptOutcome, Receipts } from './receipts.ts';
export type { DecodeConfig } from './learn.ts';
export { Recommender } from './recommender.ts';
export type { RecommenderEvent, RecommenderOptions } from './recommender.ts';
export { shareEngine } from './shared-engine.ts';
export type { OpenedEngine, SharedEngine } from './shared-engine.ts';
export { openChannels } from './channels.ts';
export { comparing } from './comparing.ts';
export type { Channels, ChannelsOptions, OpenChannels } from './channels.ts';
