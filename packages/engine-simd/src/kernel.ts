/** A number in bytes from the beginning of the kernel's memory. */
export type Address = number;

/** What the host sets before it calls: shapes in float32 numbers, places in bytes (assembly/tower.ts, factorization.ts). */
export const SETTINGS = [
  'width',
  'row',
  'productSize',
  'productPadded',
  'deepSize',
  'deepPadded',
  'deepDense',
  'deepFrom',
  'products',
  'layers',
  'table',
  'biases',
  'layerRecords',
  'weights',
  'gradients',
  'starts',
  'denseFloats',
  'personKernel',
  'itemKernel',
  'productsKernel',
  'firstBias',
  'productHead',
  'outputKernel',
  'outputBias',
  'person',
  'head',
  'productSums',
  'batchRows',
  'rowGradients',
  'logits',
  'slopes',
  'compact',
  'dimension',
  'padded',
  'factors',
  'block',
  'product',
  'vector',
] as const;
export type Setting = (typeof SETTINGS)[number];

/** The functions of the kernel; `assembly/` documents them. */
export interface KernelFunctions {
  drawExamples(
    positives: Address,
    count: number,
    catalogue: number,
    negatives: number,
    seed0: number,
    seed1: number,
    seed2: number,
    seed3: number,
    marks: Address,
    items: Address,
    labels: Address,
  ): number;
  compactRows(items: Address, count: number, marks: Address, rows: Address, positions: Address): number;
  openRanking(k: number, scores: Address, items: Address, excluded: Address): void;
  offerScores(scores: Address, first: number, count: number): void;
  closeRanking(): number;
  setPerson(from: Address): void;
  getPerson(to: Address): void;
  gatherCompact(rows: Address, count: number): void;
  resetWeights(): void;
  descend(
    positions: Address,
    labels: Address,
    count: number,
    batch: number,
    rows: Address,
    touched: number,
    rate: number,
    rowRate: number,
    l2: number,
    proximal: number,
  ): number;
  /** Σ x² of `count` float32 numbers, added up as `sumOfSquares` does. */
  squaresOf(from: Address, count: number): number;
  packRowDeltas(rows: Address, touched: number, to: Address): void;
  writeLayerDelta(within: number, padded: number, rows: number, columns: number, to: Address): void;
  beginScores(): void;
  scoreRange(first: number, count: number, to: Address): void;
  scoreItems(items: Address, count: number, to: Address): void;
  gramOf(items: number, gram: Address): void;
  solveVector(
    positives: Address,
    count: number,
    gram: Address,
    a0: number,
    ridge: number,
    left: Address,
    right: Address,
  ): number;
  dotRange(first: number, count: number, to: Address): void;
  dotItems(items: Address, count: number, to: Address): void;
  rankOneDelta(
    scores: Address,
    items: number,
    positives: Address,
    count: number,
    a0: number,
    delta: Address,
  ): number;
}

/** One instance of the kernel, in WebAssembly or in TypeScript, with a memory of its own that only grows. */
export interface Kernel {
  readonly call: KernelFunctions;
  set(settings: Partial<Record<Setting, number>>): void;
  /** Views of the whole memory. They go stale when it grows: ask again after each {@link Kernel.reserve}. */
  readonly floats: Float32Array;
  readonly doubles: Float64Array;
  readonly integers: Int32Array;
  readonly bytes: Uint8Array;
  /** Makes the memory at least `bytes` long. */
  reserve(bytes: number): void;
  /** Wipes the memory: the last that is asked of it. */
  close(): void;
}

/** Longest that a memory with 32-bit addresses may be. */
export const MOST_BYTES = 2 ** 32;

/** Opens an instance with at least `bytes` of memory, all zero. */
export type OpenKernel = (bytes: number) => Kernel;
