import { phaseDigest, ROSTER_PAGE_MEMBERS, type CoordinatorMessage } from '@tutti/protocol';
import { KEY_BUNDLE_BYTES, type ClientId, type CryptoSuite, type KeyPair } from '@tutti/secure-aggregation';
import type { Attempt, Outgoing } from './attempt-state.ts';
import { survivorsOf } from './attempt-view.ts';
import type { AttemptEndReason, RoundRecord } from './journal.ts';
import type { Outbox } from './ports.ts';

/** Sends what an attempt has to say, signed with the coordinator's key. */
export class Post {
  #plain: { digest?: Uint8Array; messages: Map<number, readonly CoordinatorMessage[]> } = {
    messages: new Map(),
  };

  constructor(
    private readonly outbox: Outbox,
    private readonly crypto: CryptoSuite,
    private readonly keyPair: KeyPair,
  ) {}

  /** Phase 0: the description. */
  describe({ description, digest }: Attempt, clients: Iterable<ClientId>): void {
    const signature = this.crypto.sign(
      phaseDigest('describe', digest, [], this.crypto),
      this.keyPair.secretKey,
    );
    // One copy for all of them: nobody changes a message, and an attempt's own description leaves no reference.
    const message: CoordinatorMessage = {
      type: 'describe',
      description: structuredClone(description),
      signature,
    };
    for (const client of clients) this.outbox.send(client, message);
  }

  /** A message of a phase, signed over the round digest, the group and its body. */
  send(attempt: Attempt, client: ClientId, message: Outgoing): void {
    for (const signed of this.#signedOnce(attempt, message)) this.outbox.send(client, signed);
  }

  /** The round counts: those in the sum hear so, the other selected ones that it went on without them. */
  committed(attempt: Attempt, { round, modelHash, reported }: RoundRecord): void {
    const survivors = new Set(survivorsOf(attempt));
    const outcome = { type: 'outcome', attempt: attempt.description.attempt } as const;
    const included = { ...outcome, outcome: 'committed', round, modelHash, survivors: reported } as const;
    const left = { ...outcome, outcome: 'not-included' } as const;
    for (const client of attempt.selected) this.outbox.send(client, survivors.has(client) ? included : left);
  }

  /** A measurement is over. */
  evaluated({ selected, description }: Attempt): void {
    const { attempt } = description;
    this.#tellAll(selected, { type: 'outcome', outcome: 'not-included', attempt });
  }

  aborted({ selected, description }: Attempt, reason: AttemptEndReason): void {
    const { attempt } = description;
    // To a client a gateway that is gone is a part of the coordinator that is to come again.
    const told = reason === 'gateway-lost' ? 'coordinator-restarted' : reason;
    this.#tellAll(selected, { type: 'outcome', outcome: 'aborted', attempt, reason: told });
  }

  /** One copy for all of them: nobody changes a message. */
  #tellAll(clients: Iterable<ClientId>, message: CoordinatorMessage): void {
    for (const client of clients) this.outbox.send(client, message);
  }

  /** Members of a plain group are all told the same: one signature, and one message, for them together. */
  #signedOnce(attempt: Attempt, message: Outgoing): readonly CoordinatorMessage[] {
    if (message.type !== 'relay-shares' || message.shares.length > 0) return this.#signed(attempt, message);
    if (this.#plain.digest !== attempt.digest) this.#plain = { digest: attempt.digest, messages: new Map() };
    const known = this.#plain.messages.get(message.group);
    if (known !== undefined) return known;
    const signed = this.#signed(attempt, message);
    this.#plain.messages.set(message.group, signed);
    return signed;
  }

  #signed({ description, digest }: Attempt, message: Outgoing): readonly CoordinatorMessage[] {
    const { attempt } = description;
    if (message.type === 'not-included') return [{ type: 'outcome', outcome: 'not-included', attempt }];
    const group = Uint8Array.of(message.group & 0xff, message.group >>> 8);
    const sign = (...body: readonly Uint8Array[]): Uint8Array =>
      this.crypto.sign(
        phaseDigest(message.type, digest, [group, ...body], this.crypto),
        this.keyPair.secretKey,
      );
    switch (message.type) {
      case 'roster': {
        const pages = pagesOf(message.bundles);
        return pages.map((bundles, page) => ({
          ...message,
          attempt,
          page,
          pages: pages.length,
          bundles,
          signature: sign(Uint8Array.of(page, pages.length), bundles),
        }));
      }
      case 'nonces':
        return [{ ...message, attempt, signature: sign(message.nonces) }];
      case 'relay-shares':
        return [{ ...message, attempt, signature: sign(message.shares) }];
      case 'survivors':
        return [{ ...message, attempt, signature: sign(message.survivors) }];
      case 'survivor-signatures':
        return [{ ...message, attempt, signature: sign(message.signatures) }];
    }
  }
}

/** A roster in pages that fit a message. */
function pagesOf(roster: Uint8Array): Uint8Array[] {
  const bytes = ROSTER_PAGE_MEMBERS * KEY_BUNDLE_BYTES;
  const count = Math.max(1, Math.ceil(roster.length / bytes));
  return Array.from({ length: count }, (_, page) => roster.subarray(page * bytes, (page + 1) * bytes));
}
