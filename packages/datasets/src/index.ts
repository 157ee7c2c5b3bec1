/** Loaders for ratings data, leave-one-out splits and a seeded synthetic generator. */
export {};
