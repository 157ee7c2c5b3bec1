import { roundRecordSchema, RUN_STATES, type TaskStatus } from '@tutti/coordination';
import { IDENTITY_LEVELS } from '@tutti/identity';
import * as z from 'zod';
import { ROLES, tokenName } from './token-file.ts';

/** The forms of what the interface answers. */

const count = z.int().min(0);
const figure = z.number().nullable();

/** Phases of a round, and the ways in which a task stands still. */
const PHASES = [
  ...(['select', 'train', 'reveal-nonces', 'share-keys', 'masked-input', 'survivors', 'unmask'] as const),
  ...(['sum', 'failed', 'finished', 'budget-spent', 'paused', 'stopped'] as const),
] as const;

/** How a task stands. */
export const taskStatusSchema = z
  .strictObject({
    task: z.string(),
    identity: z.enum(IDENTITY_LEVELS),
    round: count.describe('updates made'),
    target: count.describe('of how many'),
    attempt: count,
    phase: z.enum(PHASES),
    run: z
      .enum(RUN_STATES)
      .describe('what whoever operates it wants; an attempt that is going on when it is paused ends first'),
    progress: z
      .strictObject({ done: count, total: count })
      .describe('who answered in this phase, of how many'),
    connected: count,
    waiting: count,
    modelHash: z.string(),
    epsilon: z.strictObject({ coordinator: figure, readers: z.number() }).nullable(),
    noise: z.strictObject({
      ...{ mechanism: z.string(), multiplier: z.number(), delta: figure, epsilonBudget: figure },
    }),
  })
  .describe('how a task stands') satisfies z.ZodType<TaskStatus>;

export const tasksSchema = z.strictObject({ tasks: z.array(taskStatusSchema) });

/** Most entries of a page. */
const MOST_ENTRIES = 1_000;

const whole = (least: number, most: number) => z.coerce.number().pipe(z.int().min(least).max(most));

export const pageQuery = z.strictObject({
  from: whole(1, 2 ** 31)
    .default(1)
    .describe('the first of the page, counted from 1'),
  limit: whole(1, MOST_ENTRIES).default(100),
});

export const roundsSchema = z.strictObject({
  rounds: z.array(roundRecordSchema).describe('committed rounds, the oldest first'),
  next: z.int().nullable().describe('`from` of the next page; null where there is none'),
});

export const tokenSchema = z.strictObject({ name: tokenName, role: z.enum(ROLES) });

export const eventsQuery = z.strictObject({ task: z.string().optional().describe('of this task alone') });

export const logsQuery = z.strictObject({
  level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('the least that is told'),
  follow: z.enum(['true', 'false']).default('true').describe('whether to go on as lines come'),
  after: whole(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('only lines after the one of this id, as a stream that was cut asks for'),
});
