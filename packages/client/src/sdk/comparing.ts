import type { LoadedModel } from '@tutti/model';
import type { Comparing } from '../ports.ts';

/** Lanes of a comparison: of which figure, what of it, and the number of the promotion that put the candidate on its channel. */
const LANE = /^(hr10|ndcg10)-(?:compared|gained|lost|squared)-(\d+)$/;

/** The two models of a comparison. */
export interface Rivals {
  readonly candidate: LoadedModel;
  readonly incumbent: LoadedModel;
}

/**
 * What a device adds to the lanes of a comparison: d, its person's figure under the candidate less the one under the incumbent, as what was
 * gained, what was lost, and the square. A person without a held-out item, or a device without the two models, adds nothing.
 *
 * @param rivals the models of the promotion with this number; undefined where they cannot be had.
 */
export function comparing(rivals: (sequence: number) => Promise<Rivals | undefined>): Comparing['compare'] {
  return async ({ purpose, lanes }, measure) => {
    const [, figure, sequence] = LANE.exec(lanes.metrics[0] ?? '') ?? [];
    if (purpose !== 'evaluate' || figure === undefined || sequence === undefined) return undefined;
    const models = await rivals(Number(sequence));
    if (models === undefined) return {};
    const candidate = (await measure(models.candidate))[figure];
    const incumbent = (await measure(models.incumbent))[figure];
    if (candidate === undefined || incumbent === undefined) return {};
    const difference = candidate - incumbent;
    const lane = (what: string): string => `${figure}-${what}-${sequence}`;
    return {
      [lane('compared')]: 1,
      [lane('gained')]: Math.max(0, difference),
      [lane('lost')]: Math.max(0, -difference),
      [lane('squared')]: difference ** 2,
    };
  };
}
