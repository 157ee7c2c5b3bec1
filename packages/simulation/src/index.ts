/** Many clients in one process, on the same protocol code. */
export {};
