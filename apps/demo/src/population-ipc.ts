/** What the demo tells the process of its population. */
export type ToPopulation =
  | { readonly kind: 'setup'; readonly setup: PopulationSetup }
  /** Somebody opened the page: from now on devices take part. */
  | { readonly kind: 'begin' };

/** What that process says. */
export type FromPopulation =
  { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly message: string };

/** Who the population is, and where it takes part. Likes are never passed: the process makes its own people's. */
export interface PopulationSetup {
  readonly coordinator: string;
  readonly task: string;
  readonly people: number;
  /** How long a device rests after a round, about, in milliseconds. */
  readonly restMs: number;
}
