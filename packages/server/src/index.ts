/**
 * HTTP and sockets around the coordination engine.
 *
 * ```ts
 * import { memoryBlobs, memoryStore } from '@tutti/coordination';
 * import { nodeCrypto } from '@tutti/secure-aggregation/node';
 * import { createCoordinator } from '@tutti/server';
 *
 * const coordinator = await createCoordinator({
 *   config: { listen: { port: 0 }, tasks: [{ name: 'films', catalogue: { ids: ['tin-harbour', 'low-orbit'] } }] },
 *   store: memoryStore(),
 *   blobs: memoryBlobs(nodeCrypto),
 * });
 * console.log(await coordinator.listen());
 * await coordinator.close();
 * ```
 */
export type { Pages } from './http.ts';
export { configJsonSchema, decodeConfig } from './config.ts';
export type { CoordinatorConfig, CoordinatorConfigInput } from './config.ts';
export { createCoordinator } from './coordinator.ts';
export type { Coordinator, CoordinatorOptions } from './coordinator.ts';
export { ConfigError, PortTakenError } from './errors.ts';
export { DEFAULT_LIMITS, SOCKET_PATH } from './sockets.ts';
export type { SocketLimits } from './sockets.ts';
