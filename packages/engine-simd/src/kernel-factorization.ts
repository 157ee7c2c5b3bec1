import { keepLocal, type LocalOnly } from '@tutti/base';
import {
  checkItems,
  type LoadedModel,
  type LocalData,
  type LocalUpdate,
  type FactorizationConfig,
  type Ranking,
  type RankOptions,
  type WholeTable,
} from '@tutti/model';
import { arena, padded } from './arena.ts';
import type { Address, Kernel, OpenKernel } from './kernel.ts';
import { rankInKernel } from './kernel-ranking.ts';
import { solveInKernel } from './kernel-solve.ts';
import { BLOCK } from './tower-memory.ts';

/**
 * Loads an item table into a kernel of its own.
 * @param shared the table, items × dimension; copied.
 * @param whole the catalogue that these rows are a slice of.
 */
export function loadFactorization(
  open: OpenKernel,
  { config, items }: { readonly config: FactorizationConfig; readonly items: number },
  shared: Float32Array,
  whole: WholeTable = { items },
): LoadedModel {
  return new KernelFactorization(open, config, items, shared, whole);
}

class KernelFactorization implements LoadedModel {
  readonly #kernel: Kernel;
  readonly #factors: Address;
  readonly #vector: Address;
  readonly #gram: Address;
  readonly #left: Address;
  readonly #right: Address;
  readonly #scores: Address;
  readonly #free: Address;

  constructor(
    open: OpenKernel,
    private readonly config: FactorizationConfig,
    private readonly items: number,
    shared: Float32Array,
    private readonly whole: WholeTable,
  ) {
    const { dimension: d } = config;
    const columns = padded(d);
    const room = arena();
    this.#factors = room.take(items * d);
    this.#vector = room.take(columns);
    const block = room.take(BLOCK * columns);
    const product = room.take(d * columns);
    [this.#gram, this.#left, this.#right] = [room.take(d * d, 8), room.take(d * d, 8), room.take(d, 8)];
    this.#scores = room.take(items);
    this.#free = room.end;
    this.#kernel = open(room.end);
    this.#kernel.set({
      dimension: d,
      padded: columns,
      factors: this.#factors,
      block,
      product,
      vector: this.#vector,
    });
    this.#kernel.floats.set(shared, this.#factors / 4);
    if (whole.gram === undefined) this.#kernel.call.gramOf(items, this.#gram);
    else this.#kernel.doubles.set(whole.gram, this.#gram / 8);
  }

  async personalize(
    _local: LocalOnly<Float32Array> | undefined,
    { positives }: LocalData,
  ): Promise<LocalOnly<Float32Array>> {
    this.#solve(positives);
    return this.#person();
  }

  async train(local: LocalOnly<Float32Array> | undefined, { positives }: LocalData): Promise<LocalUpdate> {
    const { dimension: d, unobservedWeight: a0 } = this.config;
    checkItems(positives, this.items);
    if (local === undefined) this.#solve(positives);
    else this.#kernel.floats.set(local, this.#vector / 4);
    const room = arena(this.#free);
    const [named, delta] = [room.take(positives.length), room.take(this.items * d)];
    this.#kernel.reserve(room.end);
    this.#kernel.integers.set(positives, named / 4);
    const { call } = this.#kernel;
    call.dotRange(0, this.items, this.#scores);
    const loss = call.rankOneDelta(this.#scores, this.items, named, positives.length, a0, delta);
    return {
      delta: this.#kernel.floats.subarray(delta / 4, delta / 4 + this.items * d),
      local: this.#person(),
      loss: loss / Math.max(1, positives.length + a0 * this.items),
      examples: positives.length,
      touchedRows: positives,
    };
  }

  async score(local: LocalOnly<Float32Array>, items?: Int32Array): Promise<LocalOnly<Float32Array>> {
    const { call } = this.#kernel;
    if (items !== undefined) checkItems(items, this.items);
    this.#kernel.floats.set(local, this.#vector / 4);
    const count = items?.length ?? this.items;
    if (items === undefined) call.dotRange(0, this.items, this.#scores);
    const room = arena(this.#free);
    const [named, some] = [room.take(count), room.take(count)];
    if (items !== undefined) {
      this.#kernel.reserve(room.end);
      this.#kernel.integers.set(items, named / 4);
      call.dotItems(named, count, some);
    }
    const at = (items === undefined ? this.#scores : some) / 4;
    return keepLocal(this.#kernel.floats.slice(at, at + count));
  }

  async rank(local: LocalOnly<Float32Array>, options: RankOptions): Promise<LocalOnly<Ranking>> {
    this.#kernel.floats.set(local, this.#vector / 4);
    const { call } = this.#kernel;
    return rankInKernel(this.#kernel, this.items, options, this.#free, (offer) => {
      // A block of scores stays in the first cache.
      for (let first = 0; first < this.items; first += BLOCK) {
        const count = Math.min(BLOCK, this.items - first);
        call.dotRange(first, count, this.#scores);
        offer(this.#scores, first, count);
      }
    });
  }

  dispose(): void {
    this.#kernel.close();
  }

  #person(): LocalOnly<Float32Array> {
    const at = this.#vector / 4;
    return keepLocal(this.#kernel.floats.slice(at, at + this.config.dimension));
  }

  #solve(positives: Int32Array): void {
    checkItems(positives, this.items);
    const named = arena(this.#free).take(positives.length);
    this.#kernel.reserve(named + 4 * positives.length + 16);
    this.#kernel.integers.set(positives, named / 4);
    solveInKernel(this.#kernel, this.config, this.whole.items, {
      positives: named,
      count: positives.length,
      gram: this.#gram,
      left: this.#left,
      right: this.#right,
    });
  }
}
