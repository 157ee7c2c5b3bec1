import { openFacade, type BrowserRecommender, type OpenOptions } from './facade.ts';
import type { EngineParts } from './host.ts';
import { createRoom } from './room.ts';

/** Opens a recommender whose engine room is where it is called. */
export function openHere(options: OpenOptions, engine: EngineParts): Promise<BrowserRecommender> {
  return openFacade(options, {
    room: createRoom(engine),
    carry: (callback) => callback,
    end: () => undefined,
  });
}
