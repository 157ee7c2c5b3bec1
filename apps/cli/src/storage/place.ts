import type { StoragePlace } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { storeAddress } from '@tutti/server';

/**
 * The place that an address names. What talks to a database is loaded only where one is named.
 * @throws {UsageError} if the address is none.
 */
export async function placeOf(text: string): Promise<StoragePlace> {
  const address = storeAddress(text);
  switch (address.kind) {
    case 'lmdb': {
      const { lmdbPlace } = await import('@tutti/storage-lmdb');
      return lmdbPlace(address.folder, nodeCrypto);
    }
    case 'postgres': {
      const { postgresPlace } = await import('@tutti/storage-postgres');
      return postgresPlace(address.url, nodeCrypto);
    }
  }
}
