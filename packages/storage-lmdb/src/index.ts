/** The embedded store of a coordinator, on LMDB. */
export {};
