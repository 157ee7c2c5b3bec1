import { hex32, taskName } from './fields.ts';
import { PROTOCOL_VERSION } from './limits.ts';
import { integer, object, oneOf, optional, record, type Decoded } from './schema.ts';

const taskInfo = object({
  protocol: oneOf([PROTOCOL_VERSION]),
  task: taskName,
  /** Ed25519 public key that signs every description; a client pins it. */
  coordinatorKey: hex32,
  /** The model's configuration, as `createModel` takes it once it is decoded there. */
  model: record,
  /** Items in the catalogue: the rows of the item table. */
  items: integer(1, 16_777_216),
  /** Content address of the catalogue (canonical JSON: ids, titles, genres). */
  catalogueHash: hex32,
  layoutHash: hex32,
  /** Updates made so far. */
  round: integer(0, 0xffff_ffff),
  /** Content address of the newest checkpoint. */
  modelHash: hex32,
  /** Promotions and rollbacks so far; left out before the first: then no channel has anything. */
  promotions: optional(integer(1, 0xffff_ffff)),
});

/** What a coordinator says about a task over HTTP, before a client connects. */
export type TaskInfo = Readonly<Decoded<typeof taskInfo>>;

/** A task description from outside. @throws {DecodeError} naming the field. */
export function decodeTaskInfo(value: unknown): TaskInfo {
  return taskInfo(value, 'task');
}
