/** The device engine: local data, training, taking part. No input or output. */
export {};
