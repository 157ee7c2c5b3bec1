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
export type { Pages, Patience } from './http.ts';
export { configJsonSchema, decodeConfig, inspectConfig } from './config.ts';
export type { CoordinatorConfig, CoordinatorConfigInput, Inspected } from './config.ts';
export { readEnvironment, variableOf } from './config-environment.ts';
export { printedConfig, printedLines } from './config-print.ts';
export type { PrintedValue } from './config-print.ts';
export { assignmentsOf, forbiddenIn, mergeSources } from './config-sources.ts';
export type { Assignment, Merged } from './config-sources.ts';
export { createCoordinator } from './coordinator.ts';
export type { Coordinator, CoordinatorOptions } from './coordinator.ts';
export { ConfigError, PortTakenError } from './errors.ts';
export { taskProblems } from './inspect-task.ts';
export type { Readiness } from './http-health.ts';
export { errorFields, jsonLog, LIMITS, PARTS } from './log.ts';
export type { Log, LogOptions } from './log.ts';
export { pathText } from './paths.ts';
export type { Path } from './paths.ts';
export type { Problem } from './task-of.ts';
export { readCertificate } from './tls.ts';
export type { Certificate, CertificateFiles } from './tls.ts';
export { DEFAULT_LIMITS, SOCKET_PATH } from './sockets.ts';
export type { SocketLimits } from './sockets.ts';
export { API_PREFIX } from './api-openapi.ts';
export { createToken, readTokenFile, revokeToken, ROLES } from './token-file.ts';
export type { Role, TokenEntry } from './token-file.ts';
export { storeAddress } from './store-address.ts';
export type { StoreAddress } from './store-address.ts';
