import { keepLocal, type LocalOnly, type Ranges, type SeededRandom } from '@tutti/base';
import {
  checkItems,
  drawSeed,
  type LoadedModel,
  type LocalData,
  type LocalUpdate,
  type Ranking,
  type RankOptions,
  type WholeTable,
} from '@tutti/model';
import { arena } from './arena.ts';
import type { Address, Kernel, OpenKernel } from './kernel.ts';
import { rankInKernel } from './kernel-ranking.ts';
import { solveInKernel } from './kernel-solve.ts';
import { CHUNK, placeTower, type TowerModel, type TowerPlaces } from './tower-memory.ts';

/**
 * Loads a checkpoint into a kernel of its own.
 * @param shared in the model's layout; copied.
 * @param whole the catalogue that these rows are a slice of.
 */
export function loadTower(
  open: OpenKernel,
  model: TowerModel,
  shared: Float32Array,
  whole: WholeTable = { items: model.items },
): LoadedModel {
  return new KernelTower(open, model, shared, whole);
}

/** Places behind the model's own for what one person needs; they move when a longer history comes. */
interface PersonPlaces {
  readonly history: number;
  readonly positives: Address;
  readonly items: Address;
  readonly labels: Address;
  readonly positions: Address;
  readonly rows: Address;
  readonly delta: Address;
  readonly ranges: Address;
}

class KernelTower implements LoadedModel {
  readonly #kernel: Kernel;
  readonly #places: TowerPlaces;
  #own: PersonPlaces | undefined;

  constructor(
    open: OpenKernel,
    private readonly model: TowerModel,
    shared: Float32Array,
    private readonly whole: WholeTable,
  ) {
    this.#places = placeTower(model);
    const { settings, records, blocks, starts, end } = this.#places;
    this.#kernel = open(end);
    const { floats, integers } = this.#kernel;
    this.#kernel.set(settings);
    integers.set(records, (settings.layerRecords ?? 0) / 4);
    floats.set(shared, this.#places.shared / 4);
    for (const { offset, rows, columns, padded, within } of blocks)
      for (let row = 0; row < rows; row++)
        floats.set(
          shared.subarray(offset + row * columns, offset + (row + 1) * columns),
          (starts + within) / 4 + row * padded,
        );
    if (whole.gram === undefined) this.#kernel.call.gramOf(model.items, this.#places.gram);
    else this.#kernel.doubles.set(whole.gram, this.#places.gram / 8);
  }

  async personalize(
    _local: LocalOnly<Float32Array> | undefined,
    { positives }: LocalData,
  ): Promise<LocalOnly<Float32Array>> {
    this.#solve(this.#admit(positives), positives.length);
    return this.#person();
  }

  async train(
    local: LocalOnly<Float32Array> | undefined,
    { positives }: LocalData,
    random: SeededRandom,
  ): Promise<LocalUpdate> {
    const { call } = this.#kernel;
    const own = this.#admit(positives);
    if (local === undefined) this.#solve(own, positives.length);
    else this.#setPerson(local);
    const counts = this.#drawEpochs(own, positives.length, random);
    const all = counts.reduce((sum, count) => sum + count, 0);
    const touched = call.compactRows(own.items, all, this.#places.marks, own.rows, own.positions);
    const loss = this.#descend(own, counts, touched);
    const [examples = 0] = counts;
    const rows = this.#kernel.integers.subarray(own.rows / 4, own.rows / 4 + touched);
    const delta = this.#delta(own, touched);
    return {
      delta,
      norm: Math.sqrt(call.squaresOf(own.delta, delta.length)),
      ranges: this.#ranges(own, rows),
      local: this.#person(),
      loss: loss / Math.max(1, examples),
      examples,
      touchedRows: keepLocal(rows),
    };
  }

  async score(local: LocalOnly<Float32Array>, items?: Int32Array): Promise<LocalOnly<Float32Array>> {
    if (items !== undefined) checkItems(items, this.model.items);
    const { call, floats, integers } = this.#kernel;
    const { logits, named } = this.#places;
    this.#beginScores(local);
    const scores = new Float32Array(items?.length ?? this.model.items);
    for (let first = 0; first < scores.length; first += CHUNK) {
      const count = Math.min(CHUNK, scores.length - first);
      if (items === undefined) call.scoreRange(first, count, logits);
      else {
        integers.set(items.subarray(first, first + count), named / 4);
        call.scoreItems(named, count, logits);
      }
      scores.set(floats.subarray(logits / 4, logits / 4 + count), first);
    }
    return keepLocal(scores);
  }

  async rank(local: LocalOnly<Float32Array>, options: RankOptions): Promise<LocalOnly<Ranking>> {
    this.#beginScores(local);
    this.#own = undefined;
    const { call } = this.#kernel;
    const { end, logits } = this.#places;
    return rankInKernel(this.#kernel, this.model.items, options, end, (offer) => {
      for (let first = 0; first < this.model.items; first += CHUNK) {
        const count = Math.min(CHUNK, this.model.items - first);
        call.scoreRange(first, count, logits);
        offer(logits, first, count);
      }
    });
  }

  dispose(): void {
    this.#kernel.close();
  }

  #beginScores(local: Float32Array): void {
    this.#setPerson(local);
    this.#kernel.call.beginScores();
  }

  #setPerson(local: Float32Array): void {
    this.#kernel.floats.set(local, this.#places.vector / 4);
    this.#kernel.call.setPerson(this.#places.vector);
  }

  #person(): LocalOnly<Float32Array> {
    const { vector } = this.#places;
    this.#kernel.call.getPerson(vector);
    return keepLocal(this.#kernel.floats.slice(vector / 4, vector / 4 + this.model.shape.width));
  }

  /** Makes room for a person's examples, and puts what they touched there. */
  #admit(positives: Int32Array): PersonPlaces {
    checkItems(positives, this.model.items);
    if (this.#own === undefined || this.#own.history < positives.length) this.#makeRoom(positives.length);
    const own = this.#own as unknown as PersonPlaces;
    this.#kernel.integers.set(positives, own.positives / 4);
    return own;
  }

  #makeRoom(history: number): void {
    const { training, items } = this.model;
    const examples = history * (1 + training.negatives) * training.epochs;
    const most = Math.min(items, examples);
    const room = arena(this.#places.end);
    const own = {
      history,
      positives: room.take(history),
      items: room.take(examples),
      labels: room.take(examples),
      positions: room.take(examples),
      rows: room.take(most),
      delta: room.take(most * (this.model.shape.width + 1) + this.model.layout.length - this.#places.dense),
      ranges: room.take(4 * most + 2),
    };
    const compact = room.take(most * this.#places.row);
    this.#kernel.reserve(room.end);
    // Padding of compact rows must be zero, whatever stood there before.
    this.#kernel.bytes.fill(0, this.#places.end, room.end);
    this.#kernel.set({ compact });
    this.#own = own;
  }

  #draw(own: PersonPlaces, history: number, at: number, random: SeededRandom): number {
    const { items, training } = this.model;
    const [a, b, c, d] = drawSeed(random);
    return this.#kernel.call.drawExamples(
      own.positives,
      history,
      items,
      training.negatives,
      a,
      b,
      c,
      d,
      this.#places.marks,
      own.items + 4 * at,
      own.labels + 4 * at,
    );
  }

  /** The person's vector in closed form, scaled to logits. */
  #solve({ positives }: PersonPlaces, count: number): void {
    const { training, shape } = this.model;
    const { vector, gram, left, right } = this.#places;
    solveInKernel(this.#kernel, training, this.whole.items, { positives, count, gram, left, right });
    const { floats, call } = this.#kernel;
    for (let i = vector / 4; i < vector / 4 + shape.width; i++)
      floats[i] = training.personScale * (floats[i] as number);
    call.setPerson(vector);
  }

  /** Draws the examples of every epoch, one behind the other. */
  #drawEpochs(own: PersonPlaces, history: number, random: SeededRandom): readonly number[] {
    const counts: number[] = [];
    let at = 0;
    for (let epoch = 0; epoch < this.model.training.epochs; epoch++) {
      counts.push(this.#draw(own, history, at, random));
      at += counts[epoch] as number;
    }
    return counts;
  }

  /** All epochs on the compact rows and the layers; the loss of the first. */
  #descend(own: PersonPlaces, counts: readonly number[], touched: number): number {
    const { batchSize, learningRate, tableLearningRate, l2, proximal } = this.model.training;
    const { call } = this.#kernel;
    call.gatherCompact(own.rows, touched);
    call.resetWeights();
    let at = 0;
    const losses = counts.map((count) => {
      const loss = call.descend(
        own.positions + 4 * at,
        own.labels + 4 * at,
        count,
        batchSize,
        own.rows,
        touched,
        learningRate,
        tableLearningRate,
        l2,
        proximal,
      );
      at += count;
      return loss;
    });
    return losses[0] ?? 0;
  }

  /** Trained minus initial of the touched rows, of their biases and of the layers. */
  #delta(own: PersonPlaces, touched: number): Float32Array {
    const { call } = this.#kernel;
    const { dense, blocks } = this.#places;
    const layers = touched * (this.model.shape.width + 1);
    call.packRowDeltas(own.rows, touched, own.delta);
    for (const { within, padded, rows, columns, offset } of blocks)
      call.writeLayerDelta(within, padded, rows, columns, own.delta + 4 * (layers + offset - dense));
    const length = layers + this.model.layout.length - dense;
    return this.#kernel.floats.subarray(own.delta / 4, own.delta / 4 + length);
  }

  /** Where the numbers of {@link #delta} stand in the shared layout. */
  #ranges(own: PersonPlaces, rows: Int32Array): LocalOnly<Ranges> {
    const { table, biases, dense } = this.#places;
    const { width } = this.model.shape;
    const at = own.ranges / 4;
    const ranges = this.#kernel.integers.subarray(at, at + 4 * rows.length + 2);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      ranges[2 * i] = table + row * width;
      ranges[2 * i + 1] = width;
      ranges[2 * (rows.length + i)] = biases + row;
      ranges[2 * (rows.length + i) + 1] = 1;
    }
    ranges[4 * rows.length] = dense;
    ranges[4 * rows.length + 1] = this.model.layout.length - dense;
    return keepLocal(ranges);
  }
}
