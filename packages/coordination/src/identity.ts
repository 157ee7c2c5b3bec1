import { fromHex, UsageError } from '@tutti/base';
import {
  checkInLog,
  checkToken,
  IdentityError,
  MEMBER_PROBLEMS,
  reachesLevel,
  type LogMirror,
  type LogProblem,
  type MemberProblem,
} from '@tutti/identity';
import { tokenNeededUntil, type RoundDescription, type RoundIdentity } from '@tutti/protocol';
import type { CryptoSuite, Member, Mode } from '@tutti/secure-aggregation';

/** How sure clients can be of each other, and what the coordinator needs for it. */
export type IdentityConfig =
  | { readonly level: 'open' | 'pinned' }
  /** `authority`: public key, 64 hexadecimal digits. */
  | { readonly level: 'enrolled'; readonly authority: string }
  /** `log`: a copy of the authority's log, which its owner keeps up to date. */
  | { readonly level: 'transparent'; readonly authority: string; readonly log: LogMirror };

/** The level of a task that names none. */
export const OPEN: IdentityConfig = { level: 'open' };

/** What is wrong with the level of a task in this mode and with this protection, each with its path. */
export function identityProblems(
  identity: IdentityConfig,
  mode: Mode,
  protection: RoundDescription['protection'],
): { readonly path: string; readonly problem: string }[] {
  const { level } = identity;
  const problems: { path: string; problem: string }[] = [];
  const tell = (path: string, problem: string): void => void problems.push({ path, problem });
  if (mode === 'active' && !reachesLevel(level, 'enrolled'))
    tell(
      'identity.level',
      `${level} is too weak for active mode, which protects nobody from invented clients; enrolled or transparent is needed`,
    );
  if (protection === 'plain' && level !== 'open')
    tell('identity.level', `${level} needs key bundles, which an attempt without masks does not have`);
  if ('authority' in identity && !/^[0-9a-f]{64}$/.test(identity.authority))
    tell('identity.authority', 'is not a public key of 64 lower-case hexadecimal digits');
  return problems;
}

/** What a description says of identity. @throws {UsageError} while nothing is known of an authority's log. */
export function roundIdentity(config: IdentityConfig): RoundIdentity {
  if (config.level !== 'transparent') return { ...config };
  const { level, authority, log } = config;
  if (log.head === undefined) throw new UsageError('identity.log: nothing was read of the log yet');
  return { level, authority, log: log.head };
}

/** Checks a member as its bundle comes in. @returns why it is refused; nothing where it is not. */
export type MemberCheck = (
  member: Member,
) => { readonly reason: MemberProblem; readonly detail: string } | undefined;

/** The check of an attempt: that a client shows what every other member will ask it for. */
export function memberCheck(
  config: IdentityConfig,
  description: RoundDescription,
  { crypto, nowMs }: { readonly crypto: CryptoSuite; readonly nowMs: number },
): MemberCheck {
  const { identity } = description;
  if (identity.level === 'open' || identity.level === 'pinned') return () => undefined;
  const authority = fromHex(identity.authority);
  const now = tokenNeededUntil(description, Math.floor(nowMs / 1_000));
  function check({ id, bundle }: Member): void {
    const { logIndex } = checkToken(bundle.token, { clientId: id, authority, now, crypto });
    if (identity.level !== 'transparent' || config.level !== 'transparent') return;
    const { size } = identity.log;
    const path = logIndex === undefined || logIndex >= size ? [] : config.log.inclusion(logIndex, size);
    checkInLog({ clientId: id, index: logIndex }, identity.log, path, crypto);
  }
  return (member) => {
    try {
      check(member);
      return undefined;
    } catch (error) {
      if (error instanceof IdentityError && isMemberProblem(error.reason))
        return { reason: error.reason, detail: error.detail };
      throw error;
    }
  };
}

const isMemberProblem = (reason: MemberProblem | LogProblem): reason is MemberProblem =>
  MEMBER_PROBLEMS.some((problem) => problem === reason);
