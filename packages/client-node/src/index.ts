/**
 * The client SDK for Node: record what a person does, recommend on the device, take part in rounds.
 *
 * ```ts
 * import { createClient } from '@tutti/client-node';
 *
 * const client = await createClient({ coordinator: 'http://localhost:4170', task: 'films', store: './my-device' });
 * await client.record({ item: 'tt0111161', kind: 'watch' });
 * client.on('round', ({ round, outcome }) => console.log(round, outcome));
 * const stop = new AbortController();
 * void client.participate({ signal: stop.signal });
 * console.log(await client.recommend({ k: 10 }));
 * ```
 */
export type { DevicePrivacy } from '@tutti/client';
export { WrongCoordinatorError } from '@tutti/client/sdk';
export type {
  Consent,
  Interaction,
  Receipt,
  Receipts,
  Reason,
  Recommendation,
  RecommendOptions,
  SimilarOptions,
  SharedEngine,
} from '@tutti/client/sdk';
export { createClient } from './create-client.ts';
export type { Client, ClientEvents, ClientOptions } from './create-client.ts';
export { StoreInUseError } from './errors.ts';
export { fileStore, SealedStoreError } from './file-store.ts';
export { createSharedEngine } from './shared-engine.ts';
export { socketTransport } from './transport.ts';
