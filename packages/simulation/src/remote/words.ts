import { DecodeError } from '@tutti/base';
import type { PersonRanking } from '@tutti/evaluation';
import { BACKEND_NAMES, decodeModelConfig, ENGINE_NAMES } from '@tutti/model';
import {
  decodeClientMessage,
  decodeCoordinatorMessage,
  decodeTaskInfo,
  encodeMessage,
  type ClientMessage,
  type CoordinatorMessage,
} from '@tutti/protocol';
import * as z from 'zod/mini';
import type { Answer, ThreadAnswers, ThreadRequest, ThreadSetup } from '../thread.ts';
import type { Packet } from './hosts.ts';

/** What simulations and their hosts say to each other. Everything is decoded from `unknown`. */

export const count = z.number().check(z.int(), z.gte(0));
export const id = z.string().check(z.maxLength(64));

/** One shard as it is hosted for the `generation`-th time. */
const shardAt = { shard: id, generation: count };

export const helloAnswer = z.strictObject({
  threads: z.number().check(z.int(), z.gte(1)),
  runtime: z.string(),
});

export const hostHead = z.strictObject({
  ...shardAt,
  setup: z.unknown(),
  /** Name and bytes of each part, which the host fetches. */
  parts: z.array(z.tuple([z.string(), count])),
});
export const shardHead = z.strictObject(shardAt);
/** `position` counts without gaps, from 1, what this generation is asked. */
export const workHead = z.strictObject({ ...shardAt, position: count, number: count, request: z.unknown() });
export const partHead = z.strictObject({ ...shardAt, part: count, from: count });
export const blobHead = z.strictObject({ ...shardAt, hash: id, from: count });
export const blobAnswer = z.strictObject({ bytes: z.nullable(count) });
export const doneHead = z.strictObject({
  ...shardAt,
  number: count,
  answer: z.optional(z.unknown()),
  problem: z.optional(z.string()),
});
/** Whether what was done is wanted; where it is not, the shard lives elsewhere by now. */
export const doneAnswer = z.strictObject({ isWanted: z.boolean() });
/** The answer to being asked to host: number 0. */
export const readyAnswer = z.strictObject({ backend: z.string(), notes: z.array(z.string()) });

const setup = z.strictObject({
  model: z.unknown(),
  task: z.unknown(),
  users: count,
  items: count,
  seed: z.string(),
  protocol: z.enum(['plain', 'secure']),
  dropout: z.number(),
  smallestCohort: count,
  engine: z.enum([...ENGINE_NAMES, 'auto']),
  backend: z.enum([...BACKEND_NAMES, 'auto']),
});

/** A setup without its data and its secret. */
export type SetupWords = Omit<ThreadSetup, 'population' | 'definedIn' | 'movable'> & {
  readonly users: number;
  readonly items: number;
};

export function encodeSetup({
  population,
  movable: _movable,
  definedIn: _definedIn,
  ...rest
}: ThreadSetup): SetupWords {
  return { ...rest, users: population.users, items: population.items };
}

export function decodeSetup(value: unknown): SetupWords {
  const { model, task, ...rest } = setup.parse(value);
  return { ...rest, model: decodeModelConfig(model), task: decodeTaskInfo(task) };
}

const request = z.discriminatedUnion('kind', [
  /** Each delivery: a user, and which of the parts is the message. */
  z.strictObject({ kind: z.literal('deliver'), deliveries: z.array(z.tuple([count, count])) }),
  z.strictObject({ kind: z.literal('take-sum'), attempt: count, group: count }),
  z.strictObject({ kind: z.literal('rank'), users: z.array(count), modelHash: z.string() }),
  z.strictObject({ kind: z.literal('keep') }),
]);

/** Many devices are told one and the same: it is encoded once. */
const encoded = new WeakMap<CoordinatorMessage, Uint8Array>();
function bytesOf(message: CoordinatorMessage): Uint8Array {
  const known = encoded.get(message) ?? encodeMessage(message);
  encoded.set(message, known);
  return known;
}

export function encodeRequest(asked: ThreadRequest): Packet {
  switch (asked.kind) {
    case 'deliver': {
      const messages = [...new Set(asked.deliveries.map(({ message }) => message))];
      const at = new Map(messages.map((message, index) => [message, index]));
      const deliveries = asked.deliveries.map(({ user, message }) => [user, at.get(message)]);
      return { head: { kind: 'deliver', deliveries }, parts: messages.map(bytesOf) };
    }
    case 'take-sum':
      return { head: { kind: 'take-sum', ...asked.key }, parts: [] };
    default:
      return { head: asked, parts: [] };
  }
}

export function decodeRequest({ head, parts }: Packet, turn: number): ThreadRequest {
  const asked = request.parse(head);
  switch (asked.kind) {
    case 'deliver': {
      const messages = parts.map(decodeCoordinatorMessage);
      const deliveries = asked.deliveries.map(([user, index]) => ({ user, message: at(messages, index) }));
      return { kind: 'deliver', deliveries, turn };
    }
    case 'take-sum':
      return { kind: 'take-sum', key: { attempt: asked.attempt, group: asked.group } };
    default:
      return asked;
  }
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new DecodeError('parts', `has no ${index}; ${list.length} came`);
  return found;
}

const deliverAnswer = z.array(
  z.tuple([count, z.array(z.union([count, z.strictObject({ attempt: count, bytes: count })]))]),
);
const rankAnswer = z.array(
  z.strictObject({
    ...{ user: count, sampled: z.number(), full: z.number(), list: z.array(count) },
    /** Not every model's scores are finite numbers. */
    score: z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]),
  }),
);

/** A carrier's bytes may be a view of a Buffer, whose `slice` is no copy. */
const copyOf = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);

/** Answers by kind, as packets and back. */
type Codecs = {
  readonly [Kind in keyof ThreadAnswers]: {
    encode(answer: ThreadAnswers[Kind]): Packet;
    decode(packet: Packet): ThreadAnswers[Kind];
  };
};

export const ANSWERS: Codecs = {
  deliver: {
    encode(answers) {
      const parts: Uint8Array[] = [];
      const one = (answer: Answer): number | { attempt: number; bytes: number } =>
        answer.type === 'input-added'
          ? { attempt: answer.attempt, bytes: answer.bytes }
          : parts.push(encodeMessage(answer as ClientMessage)) - 1;
      return { head: answers.map(({ user, answers: all }) => [user, all.map(one)]), parts };
    },
    decode({ head, parts }) {
      const messages = parts.map(decodeClientMessage) as Answer[];
      return deliverAnswer.parse(head).map(([user, all]) => ({
        user,
        answers: all.map((one) =>
          typeof one === 'number' ? at(messages, one) : ({ type: 'input-added', ...one } as const),
        ),
      }));
    },
  },
  'take-sum': {
    encode: (sum) => ({
      head: null,
      parts: sum === undefined ? [] : [new Uint8Array(sum.buffer, sum.byteOffset, sum.byteLength)],
    }),
    decode: ({ parts: [bytes] }) => (bytes === undefined ? undefined : new Uint32Array(copyOf(bytes).buffer)),
  },
  rank: {
    encode: (people) => ({
      head: people.map(({ list, score, ...rest }) => ({
        ...rest,
        list: Array.from(list),
        score: Number.isFinite(score) ? score : String(score),
      })),
      parts: [],
    }),
    decode: ({ head }) =>
      rankAnswer
        .parse(head)
        .map((one): PersonRanking => ({ ...one, list: Int32Array.from(one.list), score: Number(one.score) })),
  },
  keep: {
    encode: (written) => ({ head: null, parts: [written] }),
    decode: ({ parts: [written] }) => copyOf(written ?? new Uint8Array(0)),
  },
};
