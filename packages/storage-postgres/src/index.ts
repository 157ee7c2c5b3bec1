/**
 * The store of a coordinator on PostgreSQL, through Kysely.
 *
 * ```ts no-check
 * // not checked: needs a server
 * import { nodeCrypto } from '@tutti/secure-aggregation/node';
 * import { openPostgresStorage } from '@tutti/storage-postgres';
 *
 * const { blobs, close } = await openPostgresStorage('postgres://tutti@localhost/tutti', nodeCrypto);
 * console.log(await blobs.put(Uint8Array.of(1, 2, 3)));
 * await close();
 * ```
 */
export { postgresPlace } from './place.ts';
export { openSharedPostgresStorage } from './shared.ts';
export { openPostgresStorage } from './storage.ts';
export type { PostgresOptions } from './address.ts';
