/**
 * The embedded store of a coordinator: journal, small values and checkpoints in one folder, on LMDB.
 *
 * ```ts
 * import { mkdtempSync } from 'node:fs';
 * import { nodeCrypto } from '@tutti/secure-aggregation/node';
 * import { openLmdbStorage } from '@tutti/storage-lmdb';
 *
 * const { blobs, close } = await openLmdbStorage(mkdtempSync('/tmp/tutti-'), nodeCrypto);
 * console.log(await blobs.put(Uint8Array.of(1, 2, 3)));
 * await close();
 * ```
 */
export { StorageLockedError } from '@tutti/coordination';
export { lmdbPlace } from './place.ts';
export { openLmdbStorage } from './storage.ts';
export type { LmdbStorage } from './storage.ts';
