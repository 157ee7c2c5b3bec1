import { defineModel } from '@tutti/model';

const WIDTH = 8;

/** A model of an app's own: the mean of the latest items goes through a layer, the person's vector is added, and both meet the items. */
export const habits = defineModel({
  name: 'habits',
  version: 1,
  shared: {
    items: { perItem: true, shape: [WIDTH], spread: 0.1 },
    layer: { shape: [WIDTH, WIDTH], spread: 0.3 },
  },
  local: WIDTH,
  window: 3,
  learningRate: 0.02,
  epochs: 2,
  personalSteps: 5,
  batchSize: 32,
  negatives: 8,
  score(tf, { shared, local, history, known, items }) {
    const seen = tf.sum(tf.mul(tf.gather(shared.items, history), tf.expandDims(known, 2)), 1); // B × WIDTH
    const mean = tf.div(seen, tf.add(tf.sum(known, 1, true), 1));
    const taste = tf.add(tf.tanh(tf.matMul(mean as typeof local, shared.layer as typeof local)), local);
    return tf.sum(tf.mul(tf.gather(shared.items, items), tf.expandDims(taste, 1)), 2);
  },
});
