/** Ranking metrics, reference recommenders and the canaries that catch a leak. */
export {};
