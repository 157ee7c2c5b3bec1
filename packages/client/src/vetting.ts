import { DecodeError, fromHex, messageOf, utf8 } from '@tutti/base';
import {
  checkGrowth,
  checkInLog,
  checkKnown,
  checkToken,
  checkTreeHead,
  decodeKnown,
  decodeProof,
  decodeTreeHead,
  encodeKnown,
  IdentityError,
  meet,
  type Token,
  type TreeHead,
} from '@tutti/identity';
import { tokenNeededUntil, type RoundDescription } from '@tutti/protocol';
import { clientIdOf, type ClientId, type Member } from '@tutti/secure-aggregation';
import type { DeviceOptions } from './ports.ts';

/** What vetting needs of a device. */
export type VettingOptions = Pick<
  DeviceOptions,
  'identity' | 'crypto' | 'store' | 'policy' | 'nowMs' | 'token' | 'logProofs'
>;

type Enrolled = Extract<RoundDescription['identity'], { level: 'enrolled' | 'transparent' }>;
type Transparent = Extract<RoundDescription['identity'], { level: 'transparent' }>;

/** Keys in the store. */
const TOKEN = 'token';
const KNOWN = 'known-members';
const headKey = (authority: string): string => `tree-head-${authority}`;

const SECONDS_A_DAY = 86_400;

/** A token that ends sooner than this is renewed before it has to be. */
const RENEW_SECONDS = SECONDS_A_DAY;

/** Who the others of a group are, as far as the level of a description lets a device know (secure-aggregation.md §7). */
export class Vetting {
  constructor(private readonly options: VettingOptions) {}

  /**
   * Before training: this device's own token, and that the authority's log only grew since it was last seen.
   * @returns the token to show; undefined where the level asks for none.
   * @throws {IdentityError} with the reason not to take part.
   */
  async enter(description: RoundDescription): Promise<Uint8Array | undefined> {
    const { identity } = description;
    if (identity.level === 'open' || identity.level === 'pinned') return undefined;
    if (identity.level === 'transparent') await this.#followLog(identity);
    const { bytes, said } = await this.#ownToken(identity, tokenNeededUntil(description, this.#now()));
    if (identity.level === 'transparent' && (said.logIndex ?? Infinity) >= identity.log.size)
      throw new IdentityError(
        'not-in-log',
        `a log of ${identity.log.size} entries does not hold this client yet`,
      );
    return bytes;
  }

  /**
   * Before anything is shared: checks everybody that this device would share with.
   * @throws {IdentityError} with the reason not to.
   */
  async vet({ identity }: RoundDescription, others: readonly Member[]): Promise<void> {
    switch (identity.level) {
      case 'open':
        return;
      case 'pinned':
        return this.#meet(others.map(({ id }) => id));
      case 'enrolled':
        for (const member of others) this.#checkToken(identity, member);
        return;
      case 'transparent':
        return this.#checkLogged(
          identity,
          others.map((member) => ({ id: member.id, index: this.#checkToken(identity, member).logIndex })),
        );
    }
  }

  #now(): number {
    return Math.floor(this.options.nowMs() / 1_000);
  }

  #checkToken({ authority }: Enrolled, { id, bundle }: Member): Token {
    const check = {
      clientId: id,
      authority: fromHex(authority),
      now: this.#now(),
      crypto: this.options.crypto,
    };
    return checkToken(bundle.token, check);
  }

  async #meet(others: readonly ClientId[]): Promise<void> {
    const { store, policy } = this.options;
    const kept = await store.get(KNOWN);
    const known = kept === undefined ? new Map() : decodeKnown(kept);
    const rule = {
      share: policy.knownShare,
      enough: policy.knownEnough,
      afterSeconds: policy.knownAfterDays * SECONDS_A_DAY,
    };
    checkKnown(known, others, rule, this.#now());
    await store.set(KNOWN, encodeKnown(meet(known, others, this.#now())));
  }

  async #checkLogged(
    { log }: Transparent,
    others: readonly { readonly id: ClientId; readonly index: number | undefined }[],
  ): Promise<void> {
    const { crypto, logProofs } = this.options;
    // Who has no position in this log is refused before anybody is asked to prove it.
    const missing = others.find(({ index }) => index === undefined || index >= log.size);
    if (missing !== undefined) checkInLog({ clientId: missing.id, index: missing.index }, log, [], crypto);
    const indexes = others.map(({ index }) => index as number);
    const proofs = await proven(logProofs?.inclusion(indexes, log.size));
    others.forEach(({ id, index }, at) =>
      checkInLog({ clientId: id, index }, log, decoded(proofs[at] ?? new Uint8Array(0)), crypto),
    );
  }

  /** The log of a description, held against the one that was seen last; remembered once it is believed. */
  async #followLog({ authority, log }: Transparent): Promise<void> {
    const { crypto, store, logProofs } = this.options;
    checkTreeHead(log, fromHex(authority), crypto);
    const kept = await store.get(headKey(authority));
    if (kept !== undefined) {
      const before: TreeHead = decodeTreeHead(JSON.parse(new TextDecoder().decode(kept)));
      const proof =
        log.size > before.size ? await proven(logProofs?.consistency(before.size, log.size)) : undefined;
      checkGrowth(before, log, decoded(proof ?? new Uint8Array(0)), crypto);
      if (log.size === before.size) return;
    }
    await store.set(headKey(authority), utf8(JSON.stringify(log)));
  }

  /** A token that holds until then: the kept one, or a new one where that ends soon and there is somebody to ask. */
  async #ownToken(
    { authority }: Enrolled,
    until: number,
  ): Promise<{ readonly bytes: Uint8Array; readonly said: Token }> {
    const { store, token, crypto, identity } = this.options;
    const clientId = clientIdOf(identity.publicKey, crypto);
    const holds = (bytes: Uint8Array, now: number) => ({
      bytes,
      said: checkToken(bytes, { clientId, authority: fromHex(authority), now, crypto }),
    });
    const kept = await store.get(TOKEN);
    try {
      if (kept !== undefined) return holds(kept, until + RENEW_SECONDS);
    } catch (error) {
      if (token === undefined) return holds(kept as Uint8Array, until);
      if (!(error instanceof IdentityError)) throw error;
    }
    const fresh = await token?.({ clientId, authority }).catch(() => undefined);
    const bytes = fresh ?? kept;
    if (bytes === undefined) throw new IdentityError('token-missing', `${clientId} has no token to show`);
    const own = holds(bytes, until);
    if (fresh !== undefined) await store.set(TOKEN, bytes);
    return own;
  }
}

/** What a source of proofs gives; whatever keeps it from that is one reason. */
async function proven<T>(asked: Promise<T> | undefined): Promise<T> {
  if (asked === undefined) throw unproven('there is nobody to ask for proofs');
  try {
    return await asked;
  } catch (cause) {
    throw unproven(messageOf(cause), cause);
  }
}

function decoded(proof: Uint8Array): Uint8Array[] {
  try {
    return decodeProof(proof);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw unproven(cause.message, cause);
  }
}

const unproven = (detail: string, cause?: unknown): IdentityError =>
  new IdentityError('log-unproven', detail, { cause });
