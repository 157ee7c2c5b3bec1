import { seededRandom } from '@tutti/base';
import {
  ease,
  easeRegularization,
  ials,
  ialsDefaults,
  itemKnn,
  MOST_EASE_ITEMS,
  popularity,
  type HistoryRecommender,
  type TrainingRows,
} from '@tutti/evaluation';

/** What a model is held against. `central` is the same family with every like on one machine. */
export const REFERENCE_NAMES = ['popularity', 'item-knn', 'ease', 'ials', 'central'] as const;
export type ReferenceName = (typeof REFERENCE_NAMES)[number];

/** References that need nothing but the interactions. */
export type PlainReference = Exclude<ReferenceName, 'central'>;

/** Settings of the two references that have any worth tuning; what is left out follows from the data. */
export interface ReferenceSettings {
  readonly ease?: { readonly regularization: number };
  readonly ials?: { readonly unobservedWeight: number; readonly regularization: number };
}

/** What fitting a reference takes. */
export interface FitOptions extends ReferenceSettings {
  readonly train: TrainingRows;
  /** First vectors of iALS. */
  readonly seed: number;
  readonly onProgress: (share: number) => Promise<void>;
}

/** Fits the reference `name`. */
export async function fitReference(name: PlainReference, options: FitOptions): Promise<HistoryRecommender> {
  const { train, seed, onProgress } = options;
  switch (name) {
    case 'popularity':
      return popularity(train);
    case 'item-knn':
      return itemKnn(train);
    case 'ease':
      return ease(train, { ...options.ease, onProgress });
    case 'ials':
      return ials(train, { ...options.ials, random: seededRandom(seed).fork('ials'), onProgress });
  }
}

/** The settings that the references `names` are fitted with: those that are given, and defaults from the data. */
export function settingsOf(
  names: readonly ReferenceName[],
  train: TrainingRows,
  given: ReferenceSettings,
): ReferenceSettings {
  return {
    ...(names.includes('ease') ? { ease: given.ease ?? { regularization: easeRegularization(train) } } : {}),
    ...(names.includes('ials') ? { ials: given.ials ?? ialsDefaults(train) } : {}),
  };
}

/** Why a reference cannot be fitted to this catalogue, if it cannot. */
export function whySkipped(name: ReferenceName, items: number): string | undefined {
  if (name !== 'ease' || items <= MOST_EASE_ITEMS) return undefined;
  return `EASE was left out: it inverts a matrix of items × items, and ${items} items are more than ${MOST_EASE_ITEMS}`;
}

/** References whose figures depend on a seed. */
export const isSeeded = (name: ReferenceName): boolean => name === 'ials' || name === 'central';

/** The key of a method in JSON: `item-knn` is `itemKnn`, as in the JSON of a simulation. */
export const methodKey = (name: ReferenceName): string => (name === 'item-knn' ? 'itemKnn' : name);
