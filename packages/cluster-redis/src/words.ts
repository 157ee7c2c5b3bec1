import { REGISTRY_REFUSALS, RUN_STATES, type CoordinationEvent, type TaskStatus } from '@tutti/coordination';
import { CHANNELS, type TaskInfo } from '@tutti/protocol';
import { parseClientId, WORD_BITS, type ClientId } from '@tutti/secure-aggregation';
import * as z from 'zod/mini';

/** The heads of what gateways and owners say to each other. What clients say travels beside them, in its own encoding. */

const count = z.number().check(z.int(), z.gte(0));
const task = { task: z.string() };
const fromOwner = { ...task, epoch: count };
const client = z.pipe(
  z.string(),
  z.transform((text): ClientId => parseClientId(text)),
);
const ofClient = { ...task, client };
const inGroup = { attempt: count, group: count };

/** What a client that is asked for an input may upload: as many words, of so many bits, for its group. */
const ticket = z.strictObject({
  ...inGroup,
  words: count,
  wordBits: z.union(WORD_BITS.map((bits) => z.literal(bits))),
});
export type Ticket = z.infer<typeof ticket>;

// Sealed by a process of the same cluster, and of the same version: its form is that of the types.
const news = z.strictObject({
  ...fromOwner,
  info: z.custom<TaskInfo>((value) => isRecord(value) && typeof value['modelHash'] === 'string'),
  status: z.custom<TaskStatus>((value) => isRecord(value) && typeof value['phase'] === 'string'),
  /** What happened; nothing where a gateway is told how things stand. */
  event: z.optional(
    z.custom<CoordinationEvent>((value) => isRecord(value) && typeof value['type'] === 'string'),
  ),
});

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** What each kind of message has at its head. */
export const WORDS = {
  // A gateway tells an owner.
  /** Everybody of a task who is connected there, and whether they wait for a round. */
  roster: z.strictObject({ ...task, clients: z.array(z.tuple([client, z.boolean()])) }),
  present: z.strictObject(ofClient),
  gone: z.strictObject(ofClient),
  /** It is not to be asked for further attempts there; what it is asked already reaches it. */
  rests: z.strictObject(ofClient),
  // A gateway asks an owner.
  /** A client's message, beside it. */
  client: z.strictObject(ofClient),
  /** Whether a client may upload. */
  upload: z.strictObject({ ...ofClient, attempt: count }),
  /** A client's whole input is in the gateway's hands. */
  count: z.strictObject({ ...ofClient, ...inGroup }),
  evaluate: z.strictObject(task),
  /** Whether the task may begin attempts, as whoever operates it wants it. */
  run: z.strictObject({ ...task, run: z.enum(RUN_STATES), by: z.string() }),
  /** What a channel of models is to have. */
  channel: z.strictObject({
    ...task,
    channel: z.enum(CHANNELS),
    model: z.nullable(z.string()),
    by: z.string(),
  }),
  // An owner tells a gateway.
  /** Messages to clients: each beside its letter. */
  deliver: z.strictObject({
    ...fromOwner,
    letters: z.array(z.strictObject({ clients: z.array(client), ticket: z.optional(ticket) })),
  }),
  news,
  /** A group's sum is taken, or is not wanted. */
  drop: z.strictObject({ ...fromOwner, ...inGroup }),
  /** Messages may have been lost: say who is there. */
  sync: z.strictObject(fromOwner),
  // An owner asks a gateway.
  /** Its part of a group's sum, which is of exactly these clients; `gateways` have the other parts. */
  take: z.strictObject({
    ...fromOwner,
    ...inGroup,
    words: count,
    clients: z.array(client),
    salt: z.string(),
    gateways: z.array(z.string()),
  }),
} as const;

export type Kind = keyof typeof WORDS;
export type HeadOf<K extends Kind> = z.infer<(typeof WORDS)[K]>;

/** The head of a message of a kind. @throws {z.core.$ZodError} */
export function headOf<K extends Kind>(kind: K, head: unknown): HeadOf<K> {
  return WORDS[kind].parse(head) as HeadOf<K>;
}

/** What a gateway hears of an upload. */
export const uploadAnswer = z.discriminatedUnion('answer', [
  z.strictObject({ answer: z.literal('ticket'), ticket }),
  /** Its reply to the client is beside it. */
  z.strictObject({ answer: z.literal('reply') }),
]);

/** Whether an input counts as this gateway's; the reply to the client is beside it. */
export const countAnswer = z.strictObject({ isHere: z.boolean() });

/** Whether a task could be paused, resumed or stopped. */
export const runAnswer = z.strictObject({ isStopped: z.boolean() });

/** Why a channel could not be changed; null where it was. */
export const channelAnswer = z.strictObject({ refused: z.nullable(z.enum(REGISTRY_REFUSALS)) });
