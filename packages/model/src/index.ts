/** Recommender families defined in TensorFlow.js, with shared and local parameters apart by type. */
export {};
