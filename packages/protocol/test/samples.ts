import { KEY_BUNDLE_BYTES, WORD_BITS } from '@tutti/secure-aggregation';
import fc from 'fast-check';
import {
  decodeClientMessage,
  decodeCoordinatorMessage,
  decodeReply,
  DECLINE_REASONS,
  ROUND_ABORT_REASONS,
  WIRE_REFUSALS,
} from '../src/index.ts';
import type { Message, RoundDescription, TaskInfo } from '../src/index.ts';

/** Valid values of everything that crosses a wire, for round trips, mutation and vectors. */

export const bytesOf = (length: number, first = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => first + i);

export const DESCRIPTION: RoundDescription = {
  protocol: 2,
  task: 'films',
  round: 3,
  attempt: 5,
  purpose: 'train',
  protection: 'secure',
  mode: 'semi-honest',
  identity: { level: 'open' },
  previousDigest: '00'.repeat(32),
  modelHash: '11'.repeat(32),
  layoutHash: '22'.repeat(32),
  catalogueHash: '44'.repeat(32),
  lanes: { delta: 6400, rowCounts: 400, metrics: ['loss', 'hr10', 'ndcg10', 'evaluated'], length: 6806 },
  wordBits: 24,
  scale: { delta: 16384, weight: 65536, metric: 65536 },
  clippingNorm: 1.5,
  clipIndicator: true,
  noise: {
    mechanism: 'skellam',
    multiplier: 0.01,
    survivors: 12,
    deltaVariance: 1510.25,
    clipVariance: 7.5,
    metricVariance: 0,
  },
  cohort: { planned: 40, smallest: 16, largestGroup: 128 },
  graph: { corruptPermille: 50, dropoutPermille: 50, largestComplete: 128 },
  deadlinesMs: {
    train: 60000,
    revealNonces: 10000,
    shareKeys: 10000,
    maskedInput: 60000,
    survivors: 10000,
    unmask: 10000,
  },
};

export const TASK_INFO: TaskInfo = {
  protocol: 2,
  task: 'films',
  coordinatorKey: 'ab'.repeat(32),
  model: { family: 'mf', dimension: 16 },
  items: 400,
  catalogueHash: '33'.repeat(32),
  layoutHash: '22'.repeat(32),
  round: 2,
  modelHash: '11'.repeat(32),
};

/** One message of each type, each field set, with parts as short as they may be. */
export const SAMPLES: { readonly [Type in Message['type']]: Extract<Message, { type: Type }> } = {
  hello: { type: 'hello', protocol: 2, task: 'films', identityKey: bytesOf(32), signature: bytesOf(64, 32) },
  'check-in': { type: 'check-in' },
  decline: { type: 'decline', attempt: 5, reason: 'no-data' },
  'advertise-keys': { type: 'advertise-keys', attempt: 5, bundle: bytesOf(KEY_BUNDLE_BYTES) },
  'share-keys': { type: 'share-keys', attempt: 5, shares: bytesOf(8) },
  'masked-input': {
    type: 'masked-input',
    attempt: 5,
    index: 0,
    count: 1,
    totalBytes: 9,
    bytes: bytesOf(9, 200),
  },
  unmask: { type: 'unmask', attempt: 5, shares: bytesOf(64) },
  'reveal-nonce': { type: 'reveal-nonce', attempt: 5, nonce: bytesOf(32) },
  'sign-survivors': { type: 'sign-survivors', attempt: 5, signature: bytesOf(64) },
  challenge: { type: 'challenge', protocols: [2], nonce: bytesOf(32), coordinatorKey: bytesOf(32, 64) },
  describe: { type: 'describe', description: DESCRIPTION, signature: bytesOf(64) },
  roster: {
    type: 'roster',
    attempt: 5,
    group: 1,
    page: 0,
    pages: 1,
    bundles: bytesOf(2 * KEY_BUNDLE_BYTES),
    signature: bytesOf(64),
  },
  'relay-shares': { type: 'relay-shares', attempt: 5, group: 1, shares: bytesOf(8), signature: bytesOf(64) },
  survivors: { type: 'survivors', attempt: 5, group: 1, survivors: bytesOf(2, 255), signature: bytesOf(64) },
  nonces: { type: 'nonces', attempt: 5, group: 1, nonces: bytesOf(32), signature: bytesOf(64) },
  'survivor-signatures': {
    type: 'survivor-signatures',
    attempt: 5,
    group: 1,
    signatures: bytesOf(66),
    signature: bytesOf(64),
  },
  outcome: {
    type: 'outcome',
    attempt: 5,
    outcome: 'committed',
    round: 3,
    modelHash: '44'.repeat(32),
    survivors: 39,
  },
  welcome: { type: 'welcome', protocol: 2 },
  waiting: { type: 'waiting', checkAgainMs: 30000 },
  later: { type: 'later', retryAfterMs: 60000 },
  accepted: { type: 'accepted', next: 2 },
  refused: {
    type: 'refused',
    reason: 'frame-out-of-order',
    field: 'masked-input.index',
    problem: 'is 4',
    next: 2,
  },
};

export type Side = 'client' | 'coordinator' | 'reply';
export const DECODERS: Readonly<Record<Side, (bytes: unknown) => Message>> = {
  client: decodeClientMessage,
  coordinator: decodeCoordinatorMessage,
  reply: decodeReply,
};

const REPLY_TYPES = new Set(['welcome', 'waiting', 'later', 'accepted', 'refused']);
const COORDINATOR_TYPES = new Set([
  'challenge',
  'describe',
  'roster',
  'relay-shares',
  'survivors',
  'nonces',
  'survivor-signatures',
  'outcome',
]);
/** Who may say `message`. */
export function sideOf(message: Message): Side {
  if (REPLY_TYPES.has(message.type)) return 'reply';
  return COORDINATOR_TYPES.has(message.type) ? 'coordinator' : 'client';
}

const U32 = 0xffff_ffff;
const attempt = fc.integer({ min: 1, max: U32 });
const inGroup = { attempt, group: fc.integer({ min: 0, max: 65_535 }) };
const part = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const signature = part(64, 64);
const hex32 = part(32, 32).map((bytes) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''),
);
const task = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
const waitMs = fc.integer({ min: 0, max: 86_400_000 });
const next = fc.option(fc.integer({ min: 0, max: 65_536 }), { nil: undefined });
const positive = (max: number) => fc.double({ min: 0, minExcluded: true, max, noNaN: true });
const deadline = fc.integer({ min: 1, max: 3_600_000 });
const words = fc.integer({ min: 0, max: 4_194_304 });
/** Leaves an optional `next` out, where it has no value. */
const optionalNext = <T extends object>({ next: value, ...rest }: T & { next: number | undefined }) =>
  value === undefined ? rest : { ...rest, next: value };

/** From 0; JSON has no −0. */
const fromZero = (max: number) => fc.double({ min: 0, max, noNaN: true }).map((value) => value + 0);

const central = {
  multiplier: positive(1e6),
  clipMultiplier: fromZero(1e6),
  metricMultiplier: fromZero(1e6),
};

const description: fc.Arbitrary<RoundDescription> = fc.record({
  protocol: fc.constant(2 as const),
  task,
  round: attempt,
  attempt,
  purpose: fc.constantFrom('train' as const, 'evaluate' as const),
  protection: fc.constantFrom('secure' as const, 'plain' as const),
  mode: fc.constantFrom('semi-honest' as const, 'active' as const),
  identity: fc.oneof(
    fc.constantFrom({ level: 'open' as const }, { level: 'pinned' as const }),
    fc.record({ level: fc.constant('enrolled' as const), authority: hex32 }),
    fc.record({
      level: fc.constant('transparent' as const),
      authority: hex32,
      log: fc.record({
        size: fc.integer({ min: 0, max: U32 }),
        root: hex32,
        signature: fc.tuple(hex32, hex32).map((halves) => halves.join('')),
      }),
    }),
  ),
  previousDigest: hex32,
  modelHash: hex32,
  layoutHash: hex32,
  catalogueHash: hex32,
  lanes: fc.record({
    delta: words,
    rowCounts: words,
    metrics: fc.array(fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/), { maxLength: 16 }),
    length: fc.integer({ min: 1, max: 4_194_304 }),
  }),
  wordBits: fc.constantFrom(...WORD_BITS),
  scale: fc.record({ delta: positive(2 ** 31), weight: positive(2 ** 31), metric: positive(2 ** 31) }),
  clippingNorm: positive(1e9),
  clipIndicator: fc.boolean(),
  noise: fc.oneof(
    fc.constant({ mechanism: 'none' as const }),
    fc.record({
      mechanism: fc.constant('skellam' as const),
      multiplier: positive(1e6),
      survivors: fc.integer({ min: 1, max: 1_000_000 }),
      deltaVariance: positive(2 ** 40),
      clipVariance: fromZero(2 ** 40),
      metricVariance: fromZero(2 ** 40),
    }),
    fc.record({ mechanism: fc.constant('gaussian' as const), ...central }),
    fc.record({ mechanism: fc.constant('tree' as const), ...central, steps: attempt }),
    fc.record({
      mechanism: fc.constant('banded' as const),
      ...central,
      steps: attempt,
      coefficients: fc.array(fc.integer({ min: 0, max: 1_024 }), { minLength: 1, maxLength: 128 }),
    }),
  ),
  cohort: fc.record({
    planned: fc.integer({ min: 1, max: 1_000_000 }),
    smallest: fc.integer({ min: 1, max: 1_000_000 }),
    largestGroup: fc.integer({ min: 1, max: 1024 }),
  }),
  graph: fc.record({
    corruptPermille: fc.integer({ min: 0, max: 333 }),
    dropoutPermille: fc.integer({ min: 0, max: 500 }),
    largestComplete: fc.integer({ min: 2, max: 128 }),
  }),
  deadlinesMs: fc.record({
    train: deadline,
    revealNonces: deadline,
    shareKeys: deadline,
    maskedInput: deadline,
    survivors: deadline,
    unmask: deadline,
  }),
});

const outcome = fc.oneof(
  fc.record({
    type: fc.constant('outcome' as const),
    attempt,
    outcome: fc.constant('committed' as const),
    round: attempt,
    modelHash: hex32,
    survivors: fc.integer({ min: 1, max: 1_000_000 }),
  }),
  fc.record({
    type: fc.constant('outcome' as const),
    attempt,
    outcome: fc.constant('aborted' as const),
    reason: fc.constantFrom(...ROUND_ABORT_REASONS),
  }),
  fc.record({
    type: fc.constant('outcome' as const),
    attempt,
    outcome: fc.constant('not-included' as const),
  }),
);

const one = <Type extends string, Fields extends object>(
  type: Type,
  fields: { [K in keyof Fields]: fc.Arbitrary<Fields[K]> },
) => fc.record({ type: fc.constant(type), ...fields }) as fc.Arbitrary<{ type: Type } & Fields>;

/** Any valid message of each type. A message type without an entry here does not compile. */
export const ARBITRARIES: {
  readonly [Type in Message['type']]: fc.Arbitrary<Extract<Message, { type: Type }>>;
} = {
  hello: one('hello', {
    protocol: fc.integer({ min: 0, max: 255 }),
    task,
    identityKey: part(32, 32),
    signature,
  }),
  'check-in': fc.constant({ type: 'check-in' }),
  decline: one('decline', { attempt, reason: fc.constantFrom(...DECLINE_REASONS) }),
  'advertise-keys': one('advertise-keys', { attempt, bundle: part(0, KEY_BUNDLE_BYTES) }),
  'share-keys': one('share-keys', { attempt, shares: part(0, 400) }),
  'masked-input': one('masked-input', {
    attempt,
    index: fc.integer({ min: 0, max: 65_535 }),
    count: fc.integer({ min: 1, max: 65_536 }),
    totalBytes: fc.integer({ min: 3, max: 4 * 4_194_304 }),
    bytes: part(3, 400),
  }),
  unmask: one('unmask', { attempt, shares: part(0, 400) }),
  'reveal-nonce': one('reveal-nonce', { attempt, nonce: part(32, 32) }),
  'sign-survivors': one('sign-survivors', { attempt, signature }),
  challenge: one('challenge', {
    protocols: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 16 }),
    nonce: part(32, 32),
    coordinatorKey: part(32, 32),
  }),
  describe: one('describe', { description, signature }),
  roster: one('roster', {
    ...inGroup,
    page: fc.integer({ min: 0, max: 15 }),
    pages: fc.integer({ min: 1, max: 16 }),
    bundles: part(KEY_BUNDLE_BYTES, 3 * KEY_BUNDLE_BYTES),
    signature,
  }),
  'relay-shares': one('relay-shares', { ...inGroup, shares: part(0, 400), signature }),
  survivors: one('survivors', { ...inGroup, survivors: part(1, 128), signature }),
  nonces: one('nonces', { ...inGroup, nonces: part(32, 128), signature }),
  'survivor-signatures': one('survivor-signatures', { ...inGroup, signatures: part(0, 400), signature }),
  outcome,
  welcome: fc.constant({ type: 'welcome', protocol: 2 }),
  waiting: one('waiting', { checkAgainMs: waitMs }),
  later: one('later', { retryAfterMs: waitMs }),
  accepted: one('accepted', { next }).map(optionalNext),
  refused: one('refused', {
    reason: fc.constantFrom(...WIRE_REFUSALS),
    field: fc.string({ maxLength: 200, unit: 'grapheme-ascii' }),
    problem: fc.string({ maxLength: 500, unit: 'grapheme-ascii' }),
    next,
  }).map(optionalNext),
};
