import { NoGraphError } from './errors.ts';

/** How bad it may get, and how sure one wants to be. */
export interface GraphQuestion {
  /** Members of the group, n. */
  readonly members: number;
  /** Members that may collude with the coordinator, a whole number below n. */
  readonly corrupt: number;
  /** Members that may drop out, a whole number; corrupt and dropped together are below n. */
  readonly dropped: number;
  /** Whether the survivors are signed (active mode): the coordinator may then name different survivors to different members. */
  readonly adversary: 'semi-honest' | 'semi-malicious';
  /** σ: privacy fails with a chance below 2^−σ. Default 40. */
  readonly privacyBits?: number;
  /** η: the sum cannot be unmasked with a chance below 2^−η. Default 30. */
  readonly correctnessBits?: number;
}

/** k neighbours a member, t of whom together reconstruct its secrets. */
export interface GraphParameters {
  readonly degree: number;
  readonly threshold: number;
}

/**
 * As `findGraph`, of numbers that are known to be in range: a description's were when it was decoded.
 * @throws {NoGraphError} where no degree below n − 1 fits; the complete graph may.
 */
export function searchGraph(question: GraphQuestion): GraphParameters {
  const { members, corrupt, dropped, adversary, privacyBits = 40, correctnessBits = 30 } = question;
  const lost = corrupt + dropped;
  const secret = 2 ** -(privacyBits + 1);
  for (let degree = 2; degree < members - 1; degree += 2) {
    if (disconnection(members, degree, lost) >= secret) continue;
    const corruptNeighbours = leastAbove(members, corrupt, degree, secret / members);
    const surviving = fewestWithin(members, members - dropped, degree, 2 ** -correctnessBits / members);
    const threshold = Math.max(
      2,
      adversary === 'semi-honest'
        ? corruptNeighbours + 1
        : Math.ceil((corruptNeighbours + degree - 1.25) / 2) + 1,
    );
    if (threshold <= surviving) return { degree, threshold };
  }
  throw new NoGraphError(members, corrupt, dropped);
}

/** Chance that a Harary graph of this degree loses its connection when `lost` of n members go: n(n−k−1)/2 · C(B, k)/C(n, k). */
function disconnection(members: number, degree: number, lost: number): number {
  if (degree > lost) return 0;
  const cuts = Math.log((members * (members - degree - 1)) / 2);
  return Math.exp(cuts + logBinomial(lost, degree) - logBinomial(members, degree));
}

/** Least x with P[X > x] < bound, X the marked ones among `draws` of a population. */
function leastAbove(population: number, marked: number, draws: number, bound: number): number {
  let above = 0;
  for (let x = Math.min(marked, draws); x > 0; x--) {
    above += hypergeometric(population, marked, draws, x);
    if (above >= bound) return x;
  }
  return 0;
}

/** Least r with P[Y ≤ r] ≥ bound, Y the marked ones among `draws` of a population. */
function fewestWithin(population: number, marked: number, draws: number, bound: number): number {
  let within = 0;
  for (let r = 0; r < draws; r++) {
    within += hypergeometric(population, marked, draws, r);
    if (within >= bound) return r;
  }
  return draws;
}

function hypergeometric(population: number, marked: number, draws: number, hits: number): number {
  if (hits > marked || draws - hits > population - marked) return 0;
  return Math.exp(
    logBinomial(marked, hits) +
      logBinomial(population - marked, draws - hits) -
      logBinomial(population, draws),
  );
}

/** log C(n, k). */
const logBinomial = (n: number, k: number): number => logFactorial(n) - logFactorial(k) - logFactorial(n - k);

/** log n!, summed up to 255 and by Stirling's series above: an error below 1e-16 of it. */
function logFactorial(n: number): number {
  if (n < 256) return SMALL[n] as number;
  const x = n + 1;
  const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}

const SMALL = new Float64Array(256);
for (let n = 2; n < 256; n++) SMALL[n] = (SMALL[n - 1] as number) + Math.log(n);
