/**
 * The device engine: local data, training, taking part. Message in, messages out; sockets, clocks and disks are passed in,
 * and the same code runs in a browser, in Node and in a simulation.
 *
 * ```ts
 * import { memoryClientStore } from '@tutti/client';
 *
 * const store = memoryClientStore();
 * await store.append('interactions', new TextEncoder().encode('{"item":"tt0111161"}'));
 * console.log((await store.readLog('interactions')).length);
 * ```
 */
export { createDevice } from './device.ts';
export type { Device } from './device.ts';
export type { DevicePrivacy } from './device-privacy.ts';
export { createHostedDevice, mayBeRanged } from './hosted.ts';
export type { HostedDevice } from './hosted.ts';
export { memoryClientStore } from './memory-store.ts';
export { createParticipation, leavesAfterMs } from './participation.ts';
export type { Participation } from './participation.ts';
export type { ParticipationEvent, ParticipationOptions } from './participation-options.ts';
export { declineReason, DEFAULT_POLICY, resolvePolicy } from './policy.ts';
export type { Policy } from './policy.ts';
export type {
  ClientClock,
  ClientStore,
  Conditions,
  Connection,
  DeviceMessage,
  DeviceOptions,
  LocalExamples,
  LogProofs,
  Models,
  RangedInputs,
  TokenSource,
  Transport,
} from './ports.ts';
export type { Part } from './part.ts';
export { itemOf } from './slice.ts';
export type { OpenTable, RoundSlice } from './slice.ts';
