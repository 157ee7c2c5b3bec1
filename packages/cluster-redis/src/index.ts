/**
 * Several coordinator processes as one: gateways that serve every task's clients, owners that run tasks, on Redis for messages and a
 * shared storage for everything that has to last.
 *
 * ```ts no-check
 * // not checked: needs Redis and PostgreSQL
 * import { clusterOf } from '@tutti/cluster-redis';
 * import { nodeCrypto } from '@tutti/secure-aggregation/node';
 * import { createCoordinator } from '@tutti/server';
 * import { openSharedPostgresStorage } from '@tutti/storage-postgres';
 *
 * const storage = await openSharedPostgresStorage('postgres://tutti@localhost/tutti', nodeCrypto);
 * const coordinate = clusterOf({ redis: 'redis://localhost', roles: ['gateway', 'owner'], storage });
 * const coordinator = await createCoordinator({ config, ...storage, coordinate });
 * await coordinator.listen();
 * ```
 */
export { clusterOf } from './cluster.ts';
export type { ClusterOptions } from './connection.ts';
export { AnsweredNoError, NoAnswerError, RedisUnavailableError } from './errors.ts';
export type { Job, Jobs } from './jobs.ts';
export { openPeers } from './peers.ts';
export type { PeersOptions, RedisPeers } from './peers.ts';
export { reachRedis } from './redis.ts';
export { openWorker } from './worker.ts';
export type { ClusterWorker, WorkerOptions } from './worker.ts';
