import { LARGEST_LOG } from '@tutti/identity';
import { hex32 } from './fields.ts';
import { integer, object, oneKindOf, textLike, type Decoded } from './schema.ts';

/** What an authority says of its log: the state that members of an attempt must stand in. */
const treeHead = object({
  size: integer(0, LARGEST_LOG),
  root: hex32,
  signature: textLike(/^[0-9a-f]{128}$/, '64 bytes of lower-case hexadecimal are expected'),
});

/** The level of identity of an attempt (secure-aggregation.md §7), with what members are checked against. */
export const identitySchema = oneKindOf('level', {
  open: {},
  pinned: {},
  /** `authority`: the public key whose tokens members show. */
  enrolled: { authority: hex32 },
  /** `log`: the head that each member's position is shown under. */
  transparent: { authority: hex32, log: treeHead },
});

/** @see identitySchema */
export type RoundIdentity = Readonly<Decoded<typeof identitySchema>>;

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
