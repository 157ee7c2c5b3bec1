import { BACKEND_NAMES, decodeModelConfig, ENGINE_NAMES } from '@tutti/model';
import * as z from 'zod/mini';
import { MEASURES } from '../evaluation/measure-people.ts';
import type { EvaluationSetup } from '../thread.ts';
import { count, id } from './words.ts';

/** What those who have checkpoints evaluated and their hosts say to each other. Everything is decoded from `unknown`. */

/** What a job says: ids, and nothing of anybody. */
export const jobData = z.strictObject({ owner: id, run: id, shard: count, checkpoint: id });
export type JobData = z.infer<typeof jobData>;

/** The id of a job: the same work has the same one. */
export const jobId = ({ run, shard, checkpoint }: JobData): string => `${run}-${shard}-${checkpoint}`;

const shardOf = { run: id, shard: count };

/** A host asks what a job is about, and says what it is. */
export const peopleHead = z.strictObject({ ...shardOf, runtime: z.string() });
/** Its people; their data are fetched, each part by its name and bytes. */
export const peopleAnswer = z.strictObject({
  setup: z.unknown(),
  measure: z.enum(MEASURES),
  people: z.array(count),
  users: count,
  parts: z.array(z.tuple([z.string(), count])),
});
export const partHead = z.strictObject({ ...shardOf, part: count, from: count });
export const checkpointHead = z.strictObject({ run: id, hash: id, from: count });
export const checkpointAnswer = z.strictObject({ bytes: count });
/** How a shard's people were ranked for, or why they were not. */
export const rankedHead = z.strictObject({
  ...shardOf,
  backend: z.optional(z.string()),
  rankings: z.optional(z.unknown()),
  problem: z.optional(z.string()),
});

const setup = z.strictObject({
  model: z.unknown(),
  items: count,
  engine: z.enum([...ENGINE_NAMES, 'auto']),
  backend: z.enum([...BACKEND_NAMES, 'auto']),
});

export function decodeEvaluationSetup(value: unknown): EvaluationSetup {
  const { model, ...rest } = setup.parse(value);
  return { ...rest, model: decodeModelConfig(model) };
}
