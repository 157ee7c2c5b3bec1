import { layoutLanes, type LaneLayout } from '@tutti/aggregation';
import { predictsRatings } from '@tutti/model';
import type { RoundDescription } from '@tutti/protocol';
import { trainedModel } from './slice.ts';
import type { TaskConfig } from './task-config.ts';

/** Names of the metric lanes, in order. */
export const METRICS = ['loss', 'hr10', 'ndcg10', 'evaluated'] as const;

/** Lanes of models of ratings besides: (predicted − given)² of the held-out item, and whether it has a rating. */
export const RATING_METRICS = ['squared-error', 'rated'] as const;

/** Lane of a census: how many interactions a person has. */
const CENSUS_METRICS = ['history'] as const;

/** Histories up to this long fit their lane; longer ones count as this. */
export const LONGEST_HISTORY = 1_024;

/** Losses up to this fit the loss lane; larger ones count as this. */
export const LARGEST_LOSS = 4;

/** Errors of a predicted rating up to this fit the lane; larger ones count as this. */
export const LARGEST_ERROR = 10;

/**
 * The lanes of an attempt with this purpose. A slice's delta ends with one lane a row: how popular the row is.
 * @param metrics names of the metric lanes, where they are others than usual.
 */
export function lanesOf(
  config: TaskConfig,
  purpose: RoundDescription['purpose'],
  metrics = metricsOf(config, purpose),
): LaneLayout {
  const train = purpose === 'train';
  const { layout, items } = trainedModel(config);
  return layoutLanes({
    deltaLength: train ? layout.length + (config.slice?.rows ?? 0) : 0,
    rowCounts: train && config.rowCounts === true ? items : 0,
    metrics,
  });
}

function metricsOf({ model, metrics, census }: TaskConfig, purpose: RoundDescription['purpose']): string[] {
  const counted = census !== undefined && purpose === 'evaluate' ? CENSUS_METRICS : [];
  if (metrics === false) return [...counted];
  return [...METRICS, ...(predictsRatings(model.config) ? RATING_METRICS : []), ...counted];
}

/** The lanes that a description tells of. */
export function layoutOf({ lanes: { delta, rowCounts, metrics } }: RoundDescription): LaneLayout {
  return layoutLanes({ deltaLength: delta, rowCounts, metrics });
}
