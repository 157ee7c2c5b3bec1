import { canonicalJson, utf8, type Brand } from '@tutti/base';
import {
  LARGEST_COMPLETE_GRAPH,
  MODES,
  type CryptoSuite,
  type GraphRules,
  type RoundDigest,
} from '@tutti/secure-aggregation';
import { attemptNumber, hex32, taskName } from './fields.ts';
import { identitySchema } from './identity.ts';
import { MAX_GROUP, MAX_ITEMS, MAX_SLICE_BYTES, MAX_VECTOR_WORDS, PROTOCOL_VERSION } from './limits.ts';
import {
  between,
  boolean,
  integer,
  listOf,
  object,
  oneKindOf,
  oneOf,
  optional,
  positive,
  refined,
  textLike,
  type Decoded,
} from './schema.ts';

/** What the cohort is asked for: a model delta with metrics, or metrics alone. */
export const PURPOSES = ['train', 'evaluate'] as const;

/** `plain` is the same integer pipeline without masks: simulation only, and a client refuses it unless told otherwise. */
export const PROTECTIONS = ['secure', 'plain'] as const;

/** What devices can draw (privacy's LARGEST_NOISE_VARIANCE). */
const LARGEST_VARIANCE = 2 ** 40;

/** What noise a lane carries: a variance from 0 (none), in squared ring units. */
const variance = between(0, LARGEST_VARIANCE);

/** Standard deviation of the noise over what one client can change; 0 for none. */
const multiplier = between(0, 1e6);

/** Noise that the coordinator adds to the unmasked sum, and that no device can check. */
const central = {
  /** z: standard deviation of the sum's noise over C; for correlated noise, of each draw. */
  multiplier: positive(1e6),
  clipMultiplier: multiplier,
  metricMultiplier: multiplier,
};

const noise = oneKindOf('mechanism', {
  none: {},
  skellam: {
    /** Noise multiplier z that the survivors' noise adds up to: standard deviation of the sum's noise over C. */
    multiplier: positive(1e6),
    /** Fewest clients of a group that this noise is meant for: a device answers no unmask request over fewer. */
    survivors: integer(1, 1_000_000),
    /** Variance that each client adds to each delta lane, in squared ring units. */
    deltaVariance: positive(LARGEST_VARIANCE),
    /** The same for the clip indicator, and for each metric lane; 0 where they carry no noise (no ε is claimed then). */
    clipVariance: variance,
    metricVariance: variance,
  },
  gaussian: central,
  tree: {
    ...central,
    /** Rounds of one tree. */
    steps: integer(1, 0xffff_ffff),
  },
  banded: {
    ...central,
    /** Rounds of one run of the matrix. */
    steps: integer(1, 0xffff_ffff),
    /** First column of the matrix, in units of one over its first entry; never rises. */
    coefficients: listOf(integer(0, 1_024), 1, 128),
  },
});

/** Phase 0 of secure-aggregation: everything that a client agrees to by taking part, fixed before it trains. */
const fields = object({
  protocol: oneOf([PROTOCOL_VERSION]),
  task: taskName,
  /** The update that this attempt would make: 1 for the first. */
  round: integer(1, 0xffff_ffff),
  /** Strictly increasing over the life of the task, also over rounds that ended without a result. */
  attempt: attemptNumber,
  purpose: oneOf(PURPOSES),
  protection: oneOf(PROTECTIONS),
  /** Whether survivors are signed before anyone unmasks: what a coordinator that lies is held against. */
  mode: oneOf(MODES),
  /** How sure members can be of each other; active mode asks for enrolled or above. */
  identity: identitySchema,
  /** Digest of the description before this one; zeros for the first. */
  previousDigest: hex32,
  /** Content address of the checkpoint to start from. */
  modelHash: hex32,
  /** Digest of the model's configuration and parameter layout. */
  layoutHash: hex32,
  /** Content address of the catalogue: which item each row of the model is. Devices that were shown different ones get masks that do not cancel. */
  catalogueHash: hex32,
  /** The masked vector: delta lanes, row counts, weight, clip indicator, metrics. */
  lanes: object({
    delta: integer(0, MAX_VECTOR_WORDS),
    rowCounts: integer(0, MAX_VECTOR_WORDS),
    metrics: listOf(textLike(/^[a-z][a-z0-9-]{0,31}$/), 0, 16),
    length: integer(1, MAX_VECTOR_WORDS),
  }),
  /**
   * The public slice of a catalogue that is too large to travel whole; absent where the whole table does. The delta lanes are
   * then those of the model over `rows` rows, and after them one lane a row for its popularity.
   */
  slice: optional(
    refined(
      object({
        /** R: rows of the catalogue in this attempt. */
        rows: integer(1, MAX_ITEMS),
        /** H: how many of them stay for a whole cycle; the first cycle has none. */
        head: integer(0, MAX_ITEMS),
        /** Digest of the row list, which every side derives by itself (`sliceRows`). */
        rowsHash: hex32,
        /** Content address of the slice: head, weights of the rows, all that is not a row. */
        blobHash: hex32,
        /** Its size; no more is read. */
        bytes: integer(1, MAX_SLICE_BYTES),
      }),
      ({ rows, head }) => head < rows,
    ),
  ),
  /** Bits of a word on the wire: sums are modulo 2^wordBits. Masks are made modulo 2³² either way. */
  wordBits: oneOf([24, 32]),
  /** Ring units per unit of each kind of lane. */
  scale: object({ delta: positive(2 ** 31), weight: positive(2 ** 31), metric: positive(2 ** 31) }),
  /** C: the L2 norm that every model delta is scaled down to. */
  clippingNorm: positive(1e9),
  /** Whether the clip lane says who was clipped: +½ of a unit for a delta within C, −½ for one above. Otherwise it stays 0. */
  clipIndicator: boolean,
  noise,
  /** How often a device may take part, and how many rounds apart; each keeps to it by itself. Absent where ε claims no such thing. */
  participation: optional(object({ most: integer(1, 0xffff_ffff), separation: integer(1, 0xffff_ffff) })),
  cohort: object({
    planned: integer(1, 1_000_000),
    smallest: integer(1, 1_000_000),
    /** Clients that mask together at most, 1,024 where there are masks; a larger cohort is split into groups of nearly equal size. */
    largestGroup: integer(1, 1_000_000),
  }),
  /** With a group's size these fix its graph, its threshold and its fewest survivors; each side computes them. */
  graph: object({
    /** Members that may collude with the coordinator, in thousandths of a group. */
    corruptPermille: integer(0, 333),
    /** Members of a sparse group that may drop out, in thousandths. */
    dropoutPermille: integer(0, 500),
    /** Larger groups are sparse. */
    largestComplete: integer(2, LARGEST_COMPLETE_GRAPH),
  }),
  deadlinesMs: object({
    train: integer(1, 3_600_000),
    /** Sparse groups only. */
    revealNonces: integer(1, 3_600_000),
    shareKeys: integer(1, 3_600_000),
    maskedInput: integer(1, 3_600_000),
    /** Active mode only. */
    survivors: integer(1, 3_600_000),
    unmask: integer(1, 3_600_000),
  }),
});

/** @see {@link RoundDescription} */
export const roundDescriptionSchema = refined(
  fields,
  ({ protection, cohort }) => protection === 'plain' || cohort.largestGroup <= MAX_GROUP,
  '.cohort.largestGroup',
);

/** @see roundDescriptionSchema for each field's meaning and range. */
export type RoundDescription = Readonly<Decoded<typeof roundDescriptionSchema>>;

/** What decides a group's graph, as secure-aggregation takes it. */
export function graphRules({ mode, graph }: Pick<RoundDescription, 'mode' | 'graph'>): GraphRules {
  return { mode, ...graph };
}

/** A description whose signature and digest were checked against the pinned coordinator key. */
export type VerifiedDescription = Brand<RoundDescription, 'VerifiedDescription'>;

/** What {@link roundDigest} gave for descriptions that are still in use: everyone in a process who is told one and the same asks. */
const digests = new WeakMap<RoundDescription, RoundDigest>();

/** D = H("round", canonical description): binds every mask of the attempt to what the client agreed to. */
export function roundDigest(description: RoundDescription, crypto: CryptoSuite): RoundDigest {
  const known = digests.get(description);
  if (known !== undefined) return known;
  const digest = crypto.digest('round', utf8(canonicalJson(description))) as RoundDigest;
  digests.set(description, digest);
  return digest;
}

/** Bytes that the coordinator signs for a phase message: H("phase", type, D, each part of the body). */
export function phaseDigest(
  type: string,
  digestOfRound: Uint8Array,
  body: readonly Uint8Array[],
  crypto: CryptoSuite,
): Uint8Array {
  return crypto.digest('phase', utf8(type), digestOfRound, ...body);
}

/** Bytes that a client signs to show that it holds its identity key: H("hello", nonce, task, coordinator key). */
export function helloDigest(
  nonce: Uint8Array,
  task: string,
  coordinatorKey: Uint8Array,
  crypto: CryptoSuite,
): Uint8Array {
  return crypto.digest('hello', nonce, utf8(task), coordinatorKey);
}

/**
 * A description from outside.
 * @throws {DecodeError} with the path of the first field that is missing, unknown, of another type or out of range.
 */
export function decodeDescription(value: unknown): RoundDescription {
  return roundDescriptionSchema(value, 'description');
}
