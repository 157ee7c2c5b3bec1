/** What the module exports. Compiled by `npm run build:wasm -w packages/engine-simd` into src/kernel-wasm.gen.ts. */
export { drawExamples, compactRows } from './examples';
export { openRanking, offerScores, closeRanking } from './rank';
export {
  width, row, productSize, productPadded, deepSize, deepPadded, deepDense, deepFrom, products, layers,
  table, biases, layerRecords, weights, gradients, starts, denseFloats,
  personKernel, itemKernel, productsKernel, firstBias, productHead, outputKernel, outputBias,
  person, head, productSums, batchRows, rowGradients, logits, slopes, compact,
  setPerson, getPerson, gatherCompact, beginScores, scoreRange, scoreItems,
} from './tower';
export { resetWeights, descend, packRowDeltas, squaresOf, writeLayerDelta } from './tower-training';
export {
  dimension, padded, factors, block, product, vector,
  gramOf, solveVector, dotRange, dotItems, rankOneDelta,
} from './factorization';
