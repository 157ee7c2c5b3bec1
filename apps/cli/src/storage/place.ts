import type { StoragePlace } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { storeAddress } from '@tutti/server';
import type { PostgresOptions } from '@tutti/storage-postgres';

/**
 * The place that an address names. What talks to a database is loaded only where one is named.
 * @param options how long to wait for a database, and the like.
 * @throws {UsageError} if the address is none.
 */
export async function placeOf(text: string, options?: PostgresOptions): Promise<StoragePlace> {
  const address = storeAddress(text);
  switch (address.kind) {
    case 'lmdb': {
      const { lmdbPlace } = await import('@tutti/storage-lmdb');
      return lmdbPlace(address.folder, nodeCrypto);
    }
    case 'postgres': {
      const { postgresPlace } = await import('@tutti/storage-postgres');
      return postgresPlace(address.url, nodeCrypto, options);
    }
  }
}
