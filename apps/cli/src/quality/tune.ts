import type { HeldOut } from '@tutti/datasets';
import {
  ease,
  easeRegularization,
  evaluateSampled,
  ials,
  ialsDefaults,
  MOST_EASE_ITEMS,
  type HistoryRecommender,
  type TrainingRows,
} from '@tutti/evaluation';
import { seededRandom } from '@tutti/base';
import type { ReferenceName, ReferenceSettings } from './references.ts';

/** Factors around a default that a sweep tries. */
const FACTORS = [0.3, 1, 3];

/** What a sweep works on: training without the validation items, and these. */
export interface TuneOptions {
  readonly names: readonly ReferenceName[];
  readonly train: TrainingRows;
  readonly validation: HeldOut;
  /** Called often with what is being tried. */
  readonly onProgress: (doing: string) => Promise<void>;
}

/** The settings of EASE and iALS that rank validation items best (NDCG@10, sampled), of a small grid around their defaults. */
export async function tuneReferences(options: TuneOptions): Promise<ReferenceSettings> {
  const { names, train } = options;
  const wantsEase = names.includes('ease') && train.items <= MOST_EASE_ITEMS;
  return {
    ...(wantsEase ? { ease: await tuneEase(options) } : {}),
    ...(names.includes('ials') ? { ials: await tuneIals(options) } : {}),
  };
}

async function tuneEase(options: TuneOptions): Promise<{ regularization: number }> {
  const { train, onProgress } = options;
  const grid = FACTORS.map((factor) => ({ regularization: factor * easeRegularization(train) }));
  return best(options, grid, (settings) =>
    ease(train, {
      ...settings,
      onProgress: () => onProgress(`tuning EASE: λ = ${short(settings.regularization)}`),
    }),
  );
}

async function tuneIals(options: TuneOptions): Promise<{ unobservedWeight: number; regularization: number }> {
  const { train, onProgress } = options;
  const base = ialsDefaults(train);
  const grid = FACTORS.flatMap((a) =>
    FACTORS.map((b) => ({
      unobservedWeight: a * base.unobservedWeight,
      regularization: b * base.regularization,
    })),
  );
  return best(options, grid, (settings) => {
    const doing = `tuning iALS: a0 = ${short(settings.unobservedWeight)}, λ = ${short(settings.regularization)}`;
    return ials(train, {
      ...settings,
      random: seededRandom('tune'),
      onProgress: () => onProgress(doing),
    });
  });
}

async function best<Settings>(
  { validation }: TuneOptions,
  grid: readonly Settings[],
  fit: (settings: Settings) => Promise<HistoryRecommender>,
): Promise<Settings> {
  let [chosen, highest] = [grid[0] as Settings, -1];
  for (const settings of grid) {
    const { score } = await fit(settings);
    const { ndcg } = await evaluateSampled({ scorer: score, test: validation });
    if (ndcg > highest) [chosen, highest] = [settings, ndcg];
  }
  return chosen;
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
