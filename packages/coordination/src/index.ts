/**
 * The server engine: tasks, rounds, selection, journal. Pure cores, and a runner that carries out their effects through
 * ports; recovery after a crash is a replay of the journal.
 *
 * ```ts
 * import { manualClock } from '@tutti/coordination';
 *
 * const clock = manualClock();
 * clock.after(1_000, () => console.log('a deadline is a transition'));
 * clock.advance(1_000);
 * ```
 */
export { openAnnouncer } from './announcer.ts';
export type { Announcer } from './announcer.ts';
export { BackupError, encodeBackup, openBackup } from './backup.ts';
export type { OpenedBackup } from './backup.ts';
export { calibratedTask } from './calibrate.ts';
export type { NoiseTarget } from './calibrate.ts';
export { ContentModel } from './content-model.ts';
export type { ContentOptions } from './content-model.ts';
export type { ContentState } from './content-state.ts';
export type { ContentUpdate } from './content-step.ts';
export { COORDINATOR_KEY, createCoordination } from './coordination.ts';
export type { Coordination, CoordinationOptions, CreatedTasks } from './coordination.ts';
export { judge, JUDGED_METRICS, UNDECIDED_ACTIONS } from './judge.ts';
export type { JudgedMetric, PairedSums, PromotionPolicy, Verdict } from './judge.ts';
export { LARGEST_LOSS, METRICS } from './lanes.ts';
export { changedCatalogue, knownCatalogue } from './catalogue.ts';
export type { TaskCatalogue } from './catalogue.ts';
export {
  JournalWriteError,
  MissingBlobError,
  PartialSumLostError,
  StaleTaskError,
  TaskExistsError,
  TaskStoppedError,
} from './errors.ts';
export type { CoordinationEvent, TaskStatus } from './events.ts';
export { applyEntry, EMPTY_HISTORY } from './history.ts';
export type { TaskHistory } from './history.ts';
export {
  ATTEMPT_END_REASONS,
  decodeJournalEntry,
  JOURNAL_VERSION,
  judgementSchema,
  roundRecordSchema,
  RUN_STATES,
} from './journal.ts';
export type {
  AttemptEndReason,
  Comparison,
  ComparisonRecord,
  EvaluationRecord,
  Funnel,
  JournalEntry,
  Judgement,
  RoundRecord,
  RunState,
} from './journal.ts';
export { manualClock, memoryBlobs, memoryGroupSums, memoryPlace, memoryStore } from './memory.ts';
export type { ManualClock } from './memory.ts';
export { Registry, REGISTRY_REFUSALS, RegistryError } from './registry.ts';
export type { ChannelRequest, RegistryOptions, RegistryRefusal, SignedManifest } from './registry.ts';
export type { ModelVersion } from './models.ts';
export { blobHash, JournalConflictError } from './ports.ts';
export type { Blobs, Clock, GroupKey, GroupSums, Outbox, Store, Traffic } from './ports.ts';
export type { IdentityConfig } from './identity.ts';
export { LeaseLostError } from './shared-storage.ts';
export type { LeaseView, SharedStorage, TaskLease } from './shared-storage.ts';
export { chooseSlice, LARGEST_WHOLE_TABLE } from './slice.ts';
export {
  StorageLockedError,
  StorageMissingError,
  StorageNewerError,
  StorageNotEmptyError,
  StorageRefusedError,
  StorageTakenOverError,
  StorageUnavailableError,
} from './storage.ts';
export type { Storage, StorageItem, StoragePlace, StorageSnapshot } from './storage.ts';
export { Uploads } from './uploads.ts';
export type { Taken } from './uploads.ts';
export type { MechanismConfig, NoiseConfig, SliceSize, TaskConfig } from './task-config.ts';
export { problemsOfTask } from './task-problems.ts';
export type { ConfigProblem } from './task-problems.ts';
