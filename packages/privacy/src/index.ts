/** Clipping, distributed noise and privacy accounting. */
export {};
