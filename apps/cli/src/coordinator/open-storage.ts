import type { ClusterOptions } from '@tutti/cluster-redis';
import type { Storage } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { CoordinatorConfig, CoordinatorOptions } from '@tutti/server';
import { placeOf } from '../storage/place.ts';

/** Where a coordinator keeps everything, and how it runs its tasks. */
export interface Opened {
  readonly storage: Storage;
  /** How messages name the storage. */
  readonly name: string;
  /** Left out where this process is alone. */
  readonly coordinate?: NonNullable<CoordinatorOptions['coordinate']>;
}

/** Opens what a configuration names. What makes a process one of many is loaded only where it is one. */
export async function openStorage(
  { store, cluster }: CoordinatorConfig,
  heard: Pick<ClusterOptions, 'onProblem' | 'onOwned'>,
): Promise<Opened> {
  const place = await placeOf(store);
  if (cluster === undefined) return { storage: await place.open(), name: place.name };
  const { openSharedPostgresStorage } = await import('@tutti/storage-postgres');
  const { clusterOf } = await import('@tutti/cluster-redis');
  const storage = await openSharedPostgresStorage(store, nodeCrypto);
  return { storage, name: place.name, coordinate: clusterOf({ ...cluster, storage, ...heard }) };
}
