import { InternalError, UsageError } from '@tutti/base';
import type { CohortDigest, CryptoSuite } from './crypto-suite.ts';
import { NoGraphError } from './errors.ts';
import { searchGraph } from './search-graph.ts';

/** Whom the exchange holds against: a coordinator that follows the protocol and is curious, or one that lies. */
export const MODES = ['semi-honest', 'active'] as const;
export type Mode = (typeof MODES)[number];

/** Smallest group whose members masks protect. */
export const SMALLEST_COHORTS: Readonly<Record<Mode, number>> = { 'semi-honest': 16, active: 32 };

/** Largest group on a complete graph, unless a description names a smaller one; larger groups are sparse. */
export const LARGEST_COMPLETE_GRAPH = 128;

/** Largest group altogether. */
export const LARGEST_GROUP = 1_024;

/** Bytes of a graph nonce. */
export const NONCE_BYTES = 32;

/** What a round description says about its groups' graphs; with a group's size it fixes everything else. */
export interface GraphRules {
  readonly mode: Mode;
  /** Members that may collude with the coordinator, in thousandths of the group, rounded down; below a third. */
  readonly corruptPermille: number;
  /** Members that may drop out of a sparse group, in thousandths, rounded down. A complete one bears a third. */
  readonly dropoutPermille: number;
  /** Largest group on a complete graph, {@link LARGEST_COMPLETE_GRAPH} unless an operator wants sparse ones earlier. */
  readonly largestComplete: number;
}

/** How a group of one size is wired. */
export interface GroupShape {
  readonly kind: 'complete' | 'sparse';
  readonly members: number;
  /** k: neighbours of a member. */
  readonly degree: number;
  /** t: of a member's neighbours, those who together rebuild one of its secrets. */
  readonly threshold: number;
  /** Fewest members that the sum may be over. */
  readonly fewestSurvivors: number;
}

/** t = ⌊2k/3⌋ + 1 of a member's k = groupSize − 1 neighbours on the complete graph. */
export function thresholdFor(groupSize: number): number {
  if (!Number.isInteger(groupSize) || groupSize < 2)
    throw new UsageError(`a group of ${groupSize} has no threshold; at least 2 are needed`);
  return Math.floor((2 * (groupSize - 1)) / 3) + 1;
}

/** Every size of group is asked for again and again, on both sides; the search takes milliseconds. */
const sparseShapes = new Map<string, GroupShape | undefined>();

/**
 * The shape of a group of `members`: complete up to `rules.largestComplete`, above that k-regular with k and t from {@link findGraph}; complete
 * too where no sparse graph is sure enough.
 * @throws {UsageError} for fewer than 2 members.
 */
export function groupShape(members: number, rules: GraphRules): GroupShape {
  const sparse = members > rules.largestComplete ? sparseShape(members, rules) : undefined;
  if (sparse !== undefined) return sparse;
  const threshold = thresholdFor(members);
  // Nobody holds a share of its own secret: each survivor's comes back from t others.
  const fewestSurvivors = Math.min(members, threshold + 1);
  return { kind: 'complete', members, degree: members - 1, threshold, fewestSurvivors };
}

function sparseShape(members: number, rules: GraphRules): GroupShape | undefined {
  const { mode, corruptPermille, dropoutPermille } = rules;
  const name = [members, mode, corruptPermille, dropoutPermille].join('/');
  if (!sparseShapes.has(name)) sparseShapes.set(name, searchShape(members, rules));
  return sparseShapes.get(name);
}

function searchShape(
  members: number,
  { mode, corruptPermille, dropoutPermille }: GraphRules,
): GroupShape | undefined {
  // Whole numbers are multiplied before they are divided: .29 · 100 is 28.999… in doubles.
  const corrupt = Math.floor((members * corruptPermille) / 1_000);
  const dropped = Math.floor((members * dropoutPermille) / 1_000);
  const adversary = mode === 'active' ? 'semi-malicious' : 'semi-honest';
  try {
    const { degree, threshold } = searchGraph({ members, corrupt, dropped, adversary });
    return { kind: 'sparse', members, degree, threshold, fewestSurvivors: members - dropped };
  } catch (error) {
    if (error instanceof NoGraphError) return undefined;
    throw error;
  }
}

/** Who is whose neighbour in a group. */
export interface GroupGraph {
  readonly shape: GroupShape;
  /** Roster positions of a member's neighbours, rising. The relation is symmetric. */
  neighbours(index: number): readonly number[];
}

/** Everybody is everybody's neighbour. */
export function completeGraph(shape: GroupShape): GroupGraph {
  const all = Array.from({ length: shape.members }, (_, index) => index);
  return { shape, neighbours: (index) => all.filter((other) => other !== index) };
}

/**
 * A Harary graph: members sit in a ring in an order that `seed` decides, each beside k/2 neighbours on either side.
 * @param seed H("graph", C, nonces): see {@link graphSeed}. 32 bytes.
 * @see Bell et al., CCS 2020, §3.
 */
export function sparseGraph(shape: GroupShape, seed: Uint8Array, crypto: CryptoSuite): GroupGraph {
  const ring = permutation(shape.members, seed, crypto);
  const places = new Uint32Array(shape.members);
  ring.forEach((index, place) => (places[index] = place));
  const half = shape.degree / 2;
  return {
    shape,
    neighbours(index) {
      const place = places[index] as number;
      const steps = Array.from({ length: half }, (_, step) => step + 1);
      return steps
        .flatMap((step) => [place + step, place - step + shape.members])
        .map((at) => ring[at % shape.members] as number)
        .sort((a, b) => a - b);
    },
  };
}

/**
 * What orders a sparse group: nobody could know it before the cohort was fixed, since every nonce was committed to.
 * @param nonces one of 32 bytes a member, in roster order; zeros for a member that did not reveal its own.
 */
export function graphSeed(cohort: CohortDigest, nonces: Uint8Array, crypto: CryptoSuite): Uint8Array {
  return crypto.digest('graph', cohort, nonces);
}

/** A shuffle of 0 … n − 1 (Fisher and Yates, from the last place down), drawn from the ChaCha20 stream of `seed` without bias. */
function permutation(size: number, seed: Uint8Array, crypto: CryptoSuite): number[] {
  const stream = new Uint32Array(2 * size);
  crypto.addKeystream(stream, seed, 1);
  let at = 0;
  const below = (bound: number): number => {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      // Each word is refused with a chance below 2⁻²²: n of them never are.
      if (at >= stream.length) throw new InternalError('a permutation used up its stream');
      const word = stream[at++] as number;
      if (word < limit) return word % bound;
    }
  };
  const order = Array.from({ length: size }, (_, index) => index);
  for (let i = size - 1; i > 0; i--) {
    const j = below(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

/** How many clients are asked to mask together. */
export interface CohortSizes {
  /** Clients wanted; more are never in a cohort. */
  readonly planned: number;
  /** Fewer end the attempt. */
  readonly smallest: number;
  /** Members of a group at most; a larger cohort is split into groups of nearly equal size. */
  readonly largestGroup: number;
}

/** Members of the smallest group that a cohort between smallest and planned can be split into. */
export function smallestGroup({ planned, smallest, largestGroup }: CohortSizes): number {
  const groups = Math.ceil(smallest / largestGroup);
  const whole = Math.floor(smallest / groups);
  // Just above a multiple of the largest group there is one group more; with many groups that shrinks them less.
  const split = groups * largestGroup + 1;
  return split > planned ? whole : Math.min(whole, Math.floor(split / (groups + 1)));
}

/**
 * Fewest clients that one group's unmasked sum, which the coordinator sees, can be over: those of the smallest group there can
 * be, or of the smallest sparse one, which bears its own share of dropouts.
 */
export function fewestSurvivors(sizes: CohortSizes, rules: GraphRules): number {
  const least = smallestGroup(sizes);
  if (least < 2) return 1;
  const sparse = rules.largestComplete + 1;
  const most = Math.min(sizes.planned, sizes.largestGroup);
  const candidates = least < sparse && sparse <= most ? [least, sparse] : [least];
  return Math.min(...candidates.map((members) => groupShape(members, rules).fewestSurvivors));
}

/** Whether bit `index` of a bitmap over the roster is set. */
export function bitAt(bitmap: Uint8Array, index: number): boolean {
  return (((bitmap[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

/** A bitmap over a roster of `size` with the bits of `indexes` set. */
export function bitmapOf(indexes: Iterable<number>, size: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(size / 8));
  for (const index of indexes) bitmap[index >> 3] = (bitmap[index >> 3] as number) | (1 << (index & 7));
  return bitmap;
}

/** Positions whose bit is set. */
export function bitsOf(bitmap: Uint8Array): number[] {
  return Array.from({ length: 8 * bitmap.length }, (_, index) => index).filter((index) =>
    bitAt(bitmap, index),
  );
}
