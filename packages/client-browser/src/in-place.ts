import { openFacade, type BrowserRecommender, type OpenOptions } from './facade.ts';
import { createRoom } from './room.ts';

/**
 * Opens a recommender that trains where it is called: in a service worker, which has no workers of its own, or in an app's worker.
 * In a page it would keep the page waiting while it trains.
 * @throws {UsageError} for an option that is not what it must be.
 */
export async function openRecommender(options: OpenOptions): Promise<BrowserRecommender> {
  return openFacade(options, { room: createRoom(), carry: (callback) => callback, end: () => undefined });
}
