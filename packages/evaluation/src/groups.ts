import type { BothMetrics } from './evaluate.ts';
import { bothMetricsOf, type PersonRanking } from './people.ts';

/** How well the people of one group are served. */
export interface GroupMetrics extends BothMetrics {
  /** The number that stands for the group. */
  readonly group: number;
}

/** How differently groups are served. */
export interface GroupFairness {
  /** By group number. */
  readonly groups: readonly GroupMetrics[];
  /** Best group's figure minus the worst group's; 0 where all are served alike, or there is one group only. */
  readonly gap: { readonly sampled: Gap; readonly full: Gap };
}

/** A difference in each of the two metrics that people look at first. */
export interface Gap {
  readonly hr: number;
  readonly ndcg: number;
}

/** Stands for people whose group is not known. */
const UNKNOWN_GROUP = 255;

/**
 * The metrics of each group of people, and how far apart they are. Groups are given from outside: nothing that recommends sees them.
 * @param groups a small number for each person; people with 255 are left out.
 * @see Ekstrand et al., All The Cool Kids, How Do They Fit In?, FAT* 2018: effectiveness by demographic group.
 */
export function groupFairness(people: readonly PersonRanking[], groups: Uint8Array, k = 10): GroupFairness {
  const codes = Array.from(new Set(people.map(({ user }) => groups[user] ?? UNKNOWN_GROUP)))
    .filter((code) => code !== UNKNOWN_GROUP)
    .sort((a, b) => a - b);
  const measured = codes.map((group) => {
    const members = people.filter(({ user }) => groups[user] === group);
    return { group, ...bothMetricsOf(members, k) };
  });
  return { groups: measured, gap: { sampled: gapOf(measured, 'sampled'), full: gapOf(measured, 'full') } };
}

function gapOf(groups: readonly GroupMetrics[], kind: 'sampled' | 'full'): Gap {
  const spread = (metric: 'hr' | 'ndcg'): number => {
    const values = groups.map((group) => group[kind][metric]);
    return values.length === 0 ? 0 : Math.max(...values) - Math.min(...values);
  };
  return { hr: spread('hr'), ndcg: spread('ndcg') };
}
