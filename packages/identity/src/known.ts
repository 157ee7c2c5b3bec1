import { concatBytes, DecodeError, toHex } from '@tutti/base';
import { IdentityError } from './errors.ts';
import { logEntry } from './log.ts';
import { fromLittleEndian, littleEndian } from './numbers.ts';
import { CLIENT_ID_BYTES } from './token.ts';

/** The level `pinned`: what a device remembers of the members it met, and what it asks of the next ones. */

/** Most members that are remembered. */
export const MOST_KNOWN = 4_096;

/** When a member was met, in seconds since the epoch. */
export interface Meeting {
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Members that this device met, by client id. */
export type KnownMembers = ReadonlyMap<string, Meeting>;

/** What is asked of a group's other members. */
export interface KnownRule {
  /** Share of them that must be known, from 0 to 1. */
  readonly share: number;
  /** Known members from which on the rule holds: before that a device has met too few to ask for anything. */
  readonly enough: number;
  /** How long ago a member must have been met first to count as known: nobody becomes known within an attack. */
  readonly afterSeconds: number;
}

/**
 * Checks that enough of a group's other members are known.
 * @throws {IdentityError} `too-few-known`.
 */
export function checkKnown(
  known: KnownMembers,
  others: readonly string[],
  rule: KnownRule,
  now: number,
): void {
  const isKnown = ({ firstAt }: Meeting): boolean => firstAt <= now - rule.afterSeconds;
  const all = [...known.values()].filter(isKnown).length;
  if (all < rule.enough) return;
  const met = others.filter((id) => {
    const meeting = known.get(id);
    return meeting !== undefined && isKnown(meeting);
  }).length;
  if (met < rule.share * others.length)
    throw new IdentityError(
      'too-few-known',
      `${met} of ${others.length} members are known; ${Math.ceil(rule.share * others.length)} are asked for`,
    );
}

/** What is known after meeting `others`. Beyond `most` those are forgotten that were not met for longest. */
export function meet(
  known: KnownMembers,
  others: readonly string[],
  now: number,
  most: number = MOST_KNOWN,
): KnownMembers {
  const next = new Map(known);
  for (const id of others) next.set(id, { firstAt: known.get(id)?.firstAt ?? now, lastAt: now });
  if (next.size <= most) return next;
  const latestFirst = [...next].sort(([, a], [, b]) => b.lastAt - a.lastAt || a.firstAt - b.firstAt);
  return new Map(latestFirst.slice(0, most));
}

/** Bytes of one remembered member: id, first and last second. */
const RECORD_BYTES = CLIENT_ID_BYTES + 12;

/** What is known, as bytes for a device's store. */
export function encodeKnown(known: KnownMembers): Uint8Array {
  return concatBytes(
    ...[...known].flatMap(([id, { firstAt, lastAt }]) => [
      logEntry(id),
      littleEndian(firstAt, 6),
      littleEndian(lastAt, 6),
    ]),
  );
}

/** @throws {DecodeError} for bytes that are no whole number of records, or too many. */
export function decodeKnown(bytes: Uint8Array): KnownMembers {
  if (bytes.length % RECORD_BYTES !== 0 || bytes.length > MOST_KNOWN * RECORD_BYTES)
    throw new DecodeError(
      'known',
      `has ${bytes.length} bytes; at most ${MOST_KNOWN} records of ${RECORD_BYTES} are expected`,
    );
  return new Map(
    Array.from({ length: bytes.length / RECORD_BYTES }, (_, at) => {
      const record = bytes.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES);
      const firstAt = fromLittleEndian(record.subarray(CLIENT_ID_BYTES, CLIENT_ID_BYTES + 6));
      const lastAt = fromLittleEndian(record.subarray(CLIENT_ID_BYTES + 6));
      return [toHex(record.subarray(0, CLIENT_ID_BYTES)), { firstAt, lastAt }];
    }),
  );
}
