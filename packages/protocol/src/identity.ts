import { LARGEST_LOG } from '@tutti/identity';
import * as z from 'zod/mini';
import { hex32, integer } from './fields.ts';

/** What an authority says of its log: the state that members of an attempt must stand in. */
const treeHead = z.strictObject({
  size: integer(0, LARGEST_LOG),
  root: hex32,
  signature: z.string().check(z.regex(/^[0-9a-f]{128}$/, '64 bytes of lower-case hexadecimal are expected')),
});

/** The level of identity of an attempt (secure-aggregation.md §7), with what members are checked against. */
export const identitySchema = z.discriminatedUnion('level', [
  z.strictObject({ level: z.literal('open') }),
  z.strictObject({ level: z.literal('pinned') }),
  /** `authority`: the public key whose tokens members show. */
  z.strictObject({ level: z.literal('enrolled'), authority: hex32 }),
  /** `log`: the head that each member's position is shown under. */
  z.strictObject({ level: z.literal('transparent'), authority: hex32, log: treeHead }),
]);

/** @see identitySchema */
export type RoundIdentity = Readonly<z.infer<typeof identitySchema>>;

/** How far the clocks of two devices may be apart, in seconds. */
const CLOCK_SKEW_SECONDS = 600;

/** The deadlines of a description until shares are sealed. */
interface DeadlinesBeforeSharing {
  readonly deadlinesMs: {
    readonly train: number;
    readonly revealNonces: number;
    readonly shareKeys: number;
  };
}

/**
 * Until when a token must hold to be shown in an attempt that is described at `now`: until the last member has checked it, by a
 * clock that may be ahead. In seconds since the epoch.
 */
export function tokenNeededUntil(
  { deadlinesMs: { train, revealNonces, shareKeys } }: DeadlinesBeforeSharing,
  now: number,
): number {
  return now + Math.ceil((train + revealNonces + shareKeys) / 1_000) + CLOCK_SKEW_SECONDS;
}
