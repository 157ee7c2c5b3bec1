/** How sure a client can be that the others are devices of people, weakest first (secure-aggregation.md §7). */
export const IDENTITY_LEVELS = ['open', 'pinned', 'enrolled', 'transparent'] as const;
/**
 * `open`: anyone can make an identity. `pinned`: devices ask for a share of members that they have met before. `enrolled`: each
 * member shows a token of an authority apart from the coordinator. `transparent`: and stands in that authority's public log.
 */
export type IdentityLevel = (typeof IDENTITY_LEVELS)[number];

/** Whether `level` is at least as strong as `least`. */
export function reachesLevel(level: IdentityLevel, least: IdentityLevel): boolean {
  return IDENTITY_LEVELS.indexOf(level) >= IDENTITY_LEVELS.indexOf(least);
}
