import { sumOfSquares } from '@tutti/base';
import type { KernelFunctions } from '../kernel.ts';
import { copyFloats, type Heap } from './heap.ts';
import { backward, crossEntropy, forward, layersOf, passToRows, prepare, type Layer } from './layers.ts';
import { splitFirstLayer } from './first-layer.ts';

type TowerFunctions = Pick<
  KernelFunctions,
  | 'setPerson'
  | 'getPerson'
  | 'gatherCompact'
  | 'resetWeights'
  | 'descend'
  | 'packRowDeltas'
  | 'squaresOf'
  | 'writeLayerDelta'
  | 'beginScores'
  | 'scoreRange'
  | 'scoreItems'
>;

/** The neural families (assembly/tower.ts). */
export function towerFunctions(heap: Heap): TowerFunctions {
  const { at } = heap;
  let layers: readonly Layer[] = [];

  const biasSlot = (): number => 4 * (at.row - 8);
  /** Whether a row has a deep block of its own beside the product block. */
  const deepApart = (): boolean => at.deepSize > 0 && (at.productSize === 0 || at.deepDense > 0);

  function padRow(to: number, from: number): void {
    copyFloats(heap, to, from, at.productSize);
    if (deepApart()) copyFloats(heap, to + 4 * at.deepFrom, from + 4 * at.deepDense, at.deepSize);
  }

  function gatherShared(items: number, count: number, to: number): void {
    const { floats, integers } = heap;
    for (let i = 0; i < count; i++) {
      const item = integers[items / 4 + i] as number;
      const row = to + 4 * i * at.row;
      padRow(row, at.table + 4 * item * at.width);
      floats[(row + biasSlot()) / 4] = floats[at.biases / 4 + item] as number;
    }
  }

  const paddedBatch = (count: number) => ({
    rows: at.batchRows,
    stride: at.row,
    deep: at.batchRows + 4 * at.deepFrom,
    bias: at.batchRows + biasSlot(),
    biasStride: at.row,
    count,
  });

  function resetWeights(): void {
    copyFloats(heap, at.weights, at.starts, at.denseFloats);
    layers = layersOf(heap);
  }

  function pullRows(rows: number, touched: number, share: number): void {
    const { floats, integers } = heap;
    const pull = (to: number, from: number): void => {
      const value = floats[to] as number;
      floats[to] = value - share * (value - (floats[from] as number));
    };
    for (let i = 0; i < touched; i++) {
      const item = integers[rows / 4 + i] as number;
      const row = at.compact / 4 + i * at.row;
      const from = at.table / 4 + item * at.width;
      for (let j = 0; j < at.productSize; j++) pull(row + j, from + j);
      if (deepApart())
        for (let j = 0; j < at.deepSize; j++) pull(row + at.deepFrom + j, from + at.deepDense + j);
      pull(row + at.row - 8, at.biases / 4 + item);
    }
  }

  function stepRows(positions: number, count: number, rate: number, l2: number): void {
    const { floats, integers } = heap;
    const shared = at.deepSize > 0 && at.deepFrom === 0 && at.productPadded > 0;
    for (let i = 0; i < count; i++) {
      const row = at.compact / 4 + (integers[positions / 4 + i] as number) * at.row;
      const before = at.batchRows / 4 + i * at.row;
      const deep = at.rowGradients / 4 + i * at.deepPadded;
      const slope = floats[at.slopes / 4 + i] as number;
      for (let j = 0; j < at.productPadded; j++) {
        const head = slope * (floats[at.head / 4 + j] as number);
        const gradient =
          (shared ? head + (floats[deep + j] as number) : head) + l2 * (floats[before + j] as number);
        floats[row + j] = (floats[row + j] as number) - rate * gradient;
      }
      for (let j = 0; j < at.deepPadded && !shared; j++) {
        const own = at.deepFrom + j;
        const gradient = (floats[deep + j] as number) + l2 * (floats[before + own] as number);
        floats[row + own] = (floats[row + own] as number) - rate * gradient;
      }
      const bias = row + at.row - 8;
      floats[bias] = (floats[bias] as number) - rate * slope;
    }
  }

  function stepLayers(rate: number, proximal: number): void {
    const { floats } = heap;
    const [weights, gradients, starts] = [at.weights / 4, at.gradients / 4, at.starts / 4];
    for (let i = 0; i < at.denseFloats; i++) {
      const value = floats[weights + i] as number;
      const pull = proximal * (value - (floats[starts + i] as number));
      floats[weights + i] = value - rate * (floats[gradients + i] as number) - pull;
    }
  }

  function subtract(to: number, a: number, b: number, count: number): void {
    const { floats } = heap;
    for (let i = 0; i < count; i++)
      floats[to / 4 + i] = (floats[a / 4 + i] as number) - (floats[b / 4 + i] as number);
  }

  return {
    resetWeights,
    setPerson: (from) => padRow(at.person, from),
    getPerson(to) {
      copyFloats(heap, to, at.person, at.productSize);
      if (at.deepSize > 0) copyFloats(heap, to + 4 * at.deepDense, at.person + 4 * at.deepFrom, at.deepSize);
    },
    gatherCompact: (rows, count) => gatherShared(rows, count, at.compact),
    descend(positions, labels, count, batch, rows, touched, rate, rowRate, l2, proximal) {
      let total = 0;
      for (let from = 0; from < count; from += batch) {
        const part = Math.min(batch, count - from);
        const places = positions + 4 * from;
        for (let i = 0; i < part; i++) {
          const row = heap.integers[places / 4 + i] as number;
          copyFloats(heap, at.batchRows + 4 * i * at.row, at.compact + 4 * row * at.row, at.row);
        }
        prepare(heap, layers);
        forward(heap, layers, paddedBatch(part));
        total += crossEntropy(heap, labels + 4 * from, part);
        backward(heap, layers, part);
        splitFirstLayer(heap, layers, part);
        const [first] = layers;
        if (first !== undefined) passToRows(heap, first, part);
        if (proximal > 0) pullRows(rows, touched, rate * proximal);
        stepRows(places, part, rowRate, l2);
        stepLayers(rate / part, rate * proximal);
      }
      return total;
    },
    packRowDeltas(rows, touched, to) {
      const { floats, integers } = heap;
      const biases = to / 4 + touched * at.width;
      for (let i = 0; i < touched; i++) {
        const item = integers[rows / 4 + i] as number;
        const [row, from] = [at.compact + 4 * i * at.row, at.table + 4 * item * at.width];
        const packed = to + 4 * i * at.width;
        subtract(packed, row, from, at.productSize);
        if (deepApart())
          subtract(packed + 4 * at.deepDense, row + 4 * at.deepFrom, from + 4 * at.deepDense, at.deepSize);
        floats[biases + i] =
          (floats[(row + biasSlot()) / 4] as number) - (floats[at.biases / 4 + item] as number);
      }
    },
    squaresOf: (from, count) => sumOfSquares(heap.floats.subarray(from / 4, from / 4 + count)),
    writeLayerDelta(within, columnsPadded, rows, columns, to) {
      for (let i = 0; i < rows; i++) {
        const row = within + 4 * i * columnsPadded;
        subtract(to + 4 * i * columns, at.weights + row, at.starts + row, columns);
      }
    },
    beginScores() {
      resetWeights();
      prepare(heap, layers);
    },
    scoreRange(first, count, to) {
      const rows = at.table + 4 * first * at.width;
      const bias = at.biases + 4 * first;
      forward(heap, layers, {
        rows,
        stride: at.width,
        deep: rows + 4 * at.deepDense,
        bias,
        biasStride: 1,
        count,
      });
      copyFloats(heap, to, at.logits, count);
    },
    scoreItems(items, count, to) {
      gatherShared(items, count, at.batchRows);
      forward(heap, layers, paddedBatch(count));
      copyFloats(heap, to, at.logits, count);
    },
  };
}
