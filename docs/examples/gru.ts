import { defineModel, type OwnTensorValue, type ScoreInput, type Tensorflow } from '@tutti/model';

const WIDTH = 16;
const WINDOW = 5;

type Name = 'items' | 'input' | 'recurrent' | 'gates';
type Matrix = ScoreInput['items'];

/** A GRU over a person's latest items (GRU4Rec, Hidasi et al. 2016): its last state, as a vector of taste, meets item vectors. */
export const gru = defineModel<Name>({
  module: import.meta.url,
  name: 'gru',
  version: 1,
  shared: {
    items: { perItem: true, shape: [WIDTH], spread: 0.1 },
    input: { shape: [WIDTH, 3 * WIDTH], spread: 0.25 },
    recurrent: { shape: [WIDTH, 3 * WIDTH], spread: 0.25 },
    gates: { shape: [3 * WIDTH], spread: 0 },
  },
  local: 0, // all that is a person's own is their history
  window: WINDOW,
  learningRate: 0.01,
  epochs: 2,
  batchSize: 64,
  negatives: 20,
  score(tf, { shared, history, known, items }) {
    const state = lastState(tf, shared, history, known); // B × WIDTH
    const rows = tf.gather(shared.items, items); // B × C × WIDTH
    return tf.sum(tf.mul(rows, tf.expandDims(state, 1)), 2);
  },
  // The item that was chosen against those that were drawn, all at once.
  loss: (tf, { scores, labels }) => tf.neg(tf.mean(tf.sum(tf.mul(labels, tf.logSoftmax(scores)), 1))),
});

function lastState(
  tf: Tensorflow,
  shared: Readonly<Record<Name, OwnTensorValue>>,
  history: Matrix,
  known: Matrix,
): OwnTensorValue {
  const batch = history.shape[0];
  const rows = tf.gather(shared.items, history); // B × WINDOW × WIDTH
  let state: OwnTensorValue = tf.zeros([batch, WIDTH]);
  for (let step = 0; step < WINDOW; step++) {
    const x = tf.reshape(tf.slice(rows, [0, step, 0], [batch, 1, WIDTH]), [batch, WIDTH]);
    const mask = tf.slice(known, [0, step], [batch, 1]);
    const fromInput = tf.add(tf.matMul(x, shared.input as Matrix), shared.gates);
    const fromState = tf.matMul(state, shared.recurrent);
    const part = (of: OwnTensorValue, gate: number): OwnTensorValue =>
      tf.slice(of, [0, gate * WIDTH], [batch, WIDTH]);
    const update = tf.sigmoid(tf.add(part(fromInput, 0), part(fromState, 0)));
    const reset = tf.sigmoid(tf.add(part(fromInput, 1), part(fromState, 1)));
    const fresh = tf.tanh(tf.add(part(fromInput, 2), tf.mul(reset, part(fromState, 2))));
    // Where there is no item, the state stays as it is.
    state = tf.add(state, tf.mul(tf.mul(mask, update), tf.sub(fresh, state)));
  }
  return state;
}
