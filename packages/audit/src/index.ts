/**
 * Attacks on what the federation lets out. Each is run where nothing defends, to show that it finds what it looks for, and with its
 * defence, to show that it then fails.
 *
 * ```ts
 * import { defended, isAsDocumented } from '@tutti/audit';
 *
 * const result = defended({ name: 'guessing', defence: 'chance', statistic: 'area', value: 0.51, bound: 0.6 });
 * console.log(isAsDocumented([result])); // true
 * ```
 */
export { audit } from './audit.ts';
export type { AuditOptions, AuditTarget } from './audit.ts';
export type { Guarantee } from './private-bounds.ts';
export { openRecordingProxy, websocketMessages } from './recording-proxy.ts';
export type {
  RecordedChunk,
  RecordedConnection,
  RecordingProxy,
  WebsocketMessage,
} from './recording-proxy.ts';
export { defended, exposed, isAsDocumented } from './types.ts';
export type { AttackResult, RocPoint, Verdict } from './types.ts';
export type { WireObservation, WireProbe } from './wire.ts';
