import { InternalError, wipe } from '@tutti/base';
import { PartialSumLostError, type GroupKey, type GroupSums } from '@tutti/coordination';
import { addInto, type ClientId } from '@tutti/secure-aggregation';
import type { Bus } from './bus.ts';
import type { NodeId } from './sealing.ts';
import type { Timing } from './timing.ts';
import { wordsOf } from './word-bytes.ts';

/** The sums of one task at its owner, who has no input in its hands: which gateway has whose, and how their parts become a sum. */
export interface OwnerSums extends GroupSums {
  /**
   * A gateway has the whole input of a client, whom nobody has counted yet.
   * @returns the gateway that had it first: it is in that one's part, if it counts.
   */
  claim(attempt: number, client: ClientId, gateway: NodeId): NodeId;
  holderOf(attempt: number, client: ClientId): NodeId | undefined;
  /** It does not count. */
  release(attempt: number, client: ClientId): void;
}

export interface OwnerSumsOptions {
  readonly task: string;
  readonly epoch: number;
  readonly bus: Bus;
  readonly timing: Timing;
  /** Fresh for each sum: what the gateways' pads are made from. */
  readonly salt: () => string;
  readonly isAlive: (gateway: NodeId) => boolean;
}

export function ownerSums({ task, epoch, bus, timing, salt, isAlive }: OwnerSumsOptions): OwnerSums {
  let claims = { attempt: 0, holders: new Map<ClientId, NodeId>() };
  const words = new Map<number, number>();
  const holdersOf = (attempt: number): Map<ClientId, NodeId> =>
    attempt === claims.attempt ? claims.holders : new Map<ClientId, NodeId>();
  const everyGateway = (attempt: number): Set<NodeId> => new Set(holdersOf(attempt).values());
  const drop = ({ attempt, group }: GroupKey): void => {
    for (const gateway of everyGateway(attempt))
      bus.tell(gateway, 'drop', { head: { task, epoch, attempt, group }, parts: [] });
  };

  /** Which clients' inputs each gateway has. @throws {PartialSumLostError} */
  function splitByGateway(
    { attempt, group }: GroupKey,
    clients: readonly ClientId[],
  ): Map<NodeId, ClientId[]> {
    const split = new Map<NodeId, ClientId[]>();
    for (const client of clients) {
      const gateway = holdersOf(attempt).get(client);
      if (gateway === undefined || !isAlive(gateway))
        throw new PartialSumLostError(attempt, group, `gateway ${gateway ?? ''} has ended`);
      split.set(gateway, [...(split.get(gateway) ?? []), client]);
    }
    return split;
  }

  async function partOf(
    gateway: NodeId,
    question: { readonly key: GroupKey; readonly length: number; readonly clients: readonly ClientId[] },
    pads: { readonly salt: string; readonly gateways: readonly NodeId[] },
  ): Promise<Uint32Array> {
    const { key, length, clients } = question;
    const head = { task, epoch, ...key, words: length, clients, ...pads };
    try {
      const { parts } = await bus.ask(gateway, 'take', { head, parts: [] }, timing.takeMs);
      return wordsOf(parts[0], length);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new PartialSumLostError(key.attempt, key.group, reason, { cause });
    }
  }

  return {
    claim(attempt, client, gateway) {
      // Attempts follow one another: what is claimed for a newer one ends the one before.
      if (attempt > claims.attempt) claims = { attempt, holders: new Map() };
      const holders = holdersOf(attempt);
      const first = holders.get(client) ?? gateway;
      holders.set(client, first);
      return first;
    },
    holderOf: (attempt, client) => holdersOf(attempt).get(client),
    release: (attempt, client) => void holdersOf(attempt).delete(client),
    open({ group }, length) {
      words.set(group, length);
    },
    add() {
      throw new InternalError('an input came to the owner of a task: gateways keep them');
    },
    async take(key, clients) {
      const length = words.get(key.group);
      if (length === undefined)
        throw new InternalError(`there is no running sum ${key.attempt}/${key.group}`);
      const split = splitByGateway(key, clients);
      const pads = { salt: salt(), gateways: [...split.keys()] };
      const parts = await Promise.all(
        [...split].map(([gateway, theirs]) => partOf(gateway, { key, length, clients: theirs }, pads)),
      );
      const sum = new Uint32Array(length);
      for (const part of parts) {
        addInto(sum, part);
        wipe(part);
      }
      drop(key);
      return sum;
    },
    discard: drop,
  };
}
