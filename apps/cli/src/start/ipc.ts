import type { SplitDataset } from '@tutti/datasets';

/** What the main process tells a population process. */
export type ToPopulation =
  | { readonly kind: 'setup'; readonly setup: PopulationSetup }
  | { readonly kind: 'recommend'; readonly id: number; readonly user: number; readonly k: number }
  | { readonly kind: 'stop' };

/** A recommended item, and the own one that speaks for it most, if any does. */
export interface Listed {
  readonly item: string;
  readonly because: string | undefined;
}

/** What a population process says. */
export type FromPopulation =
  | { readonly kind: 'ready'; readonly backend: string; readonly notes: readonly string[] }
  | { readonly kind: 'preparing'; readonly done: number; readonly total: number }
  | { readonly kind: 'recommended'; readonly id: number; readonly list: readonly Listed[] }
  | { readonly kind: 'failed'; readonly message: string };

/** Which people a process hosts, and where. Interactions are never passed: each process reads its own people's slices. */
export interface PopulationSetup {
  readonly coordinator: string;
  readonly task: string;
  readonly folder: string;
  readonly data: {
    readonly dataset?: string;
    readonly seed: number;
    readonly users?: number;
    readonly items?: number;
  };
  /** Hosts the people first, first + step, first + 2·step … below `people`. */
  readonly people: number;
  readonly first: number;
  readonly step: number;
  readonly engine: 'auto' | 'tfjs' | 'simd' | 'ts';
  readonly backend: 'auto' | 'tensorflow' | 'wasm' | 'cpu';
  readonly allowSmallCohort: number;
  readonly trustCoordinatorNoise: boolean;
}

/** One person's part of a data set: the training items in order, and the held-out item with its candidates. */
export function sliceOf(
  data: SplitDataset,
  user: number,
): { items: string[]; heldOut: { item: string; candidates: string[] } | undefined } {
  const { ids } = data.catalogue;
  const name = (item: number): string => ids[item] as string;
  const items = Array.from(
    data.train.values.subarray(data.train.offsets[user], data.train.offsets[user + 1]),
    name,
  );
  const positive = data.test.positives[user] as number;
  if (positive < 0) return { items, heldOut: undefined };
  return {
    items,
    heldOut: { item: name(positive), candidates: Array.from(data.test.negatives[user] ?? [], name) },
  };
}
