import { systemRandom, utf8 } from '@tutti/base';
import {
  addBundle,
  addInto,
  addNonce,
  addShares,
  addUnmaskReply,
  advertiseKeys,
  answerUnmask,
  closeInputs,
  closeKeys,
  closeNonces,
  closeShares,
  collectKeys,
  countInput,
  enterCohort,
  isRefused,
  LARGEST_COMPLETE_GRAPH,
  maskInput,
  shareKeys,
  type ClientId,
  type ClientShared,
  type Collecting,
  type CryptoSuite,
  type GraphRules,
  type QuantizedInput,
  type RoundDigest,
  type Unmasking,
} from '../src/index.ts';
import { groupShape } from '../src/graph.ts';

/** Whole groups of honest clients, built by the real transitions, for benchmarks to stop at the step that they time. */

type Good<T> = Exclude<T, { phase: 'aborted' | 'survivors' } | { refused: string }>;

export function good<T extends object>(value: T): Good<T> {
  if (isRefused(value) || ('phase' in value && value.phase === 'aborted'))
    throw new Error(JSON.stringify(value));
  return value as Good<T>;
}

/**
 * Rules under which a semi-honest group of `members` has `degree` neighbours each. Where a third of colluders asks for fewer, the
 * group is made to bear more dropouts until it has them.
 */
export function rulesOfDegree(members: number, degree: number): GraphRules {
  const mode = 'semi-honest';
  if (degree === members - 1)
    return { mode, dropoutPermille: 50, corruptPermille: 50, largestComplete: LARGEST_COMPLETE_GRAPH };
  for (let dropoutPermille = 50; dropoutPermille <= 300; dropoutPermille += 50)
    for (let corruptPermille = 0; corruptPermille <= 330; corruptPermille += 10) {
      const rules = { mode, dropoutPermille, corruptPermille, largestComplete: 2 } as const;
      const shape = groupShape(members, rules);
      if (shape.kind === 'sparse' && shape.degree >= degree) return rules;
    }
  throw new Error(`no group of ${members} has ${degree} neighbours each`);
}

/** A group whose clients have all shared their keys. */
export interface SharedGroup {
  readonly collecting: Collecting;
  readonly clients: readonly ClientShared[];
}

/** Bundles of `members` new clients, and their states. */
export function advertise(members: number, crypto: CryptoSuite) {
  const random = systemRandom();
  const roundDigest = crypto.digest('round', utf8('bench')) as RoundDigest;
  const clients = Array.from({ length: members }, () =>
    advertiseKeys({ roundDigest, identity: crypto.signKeyPair(random), random, crypto }),
  );
  return { roundDigest, clients };
}

export function shareAll(members: number, rules: GraphRules, crypto: CryptoSuite): SharedGroup {
  const { roundDigest, clients } = advertise(members, crypto);
  let advertising = collectKeys({ crypto, roundDigest, rules, largest: members, smallest: 2 });
  for (const { bundle } of clients) advertising = good(addBundle(advertising, bundle));
  let keys = good(closeKeys(advertising));
  const entered = clients.map(({ state }) => {
    const { state: next, nonce } = enterCohort(state, keys.roster, { ...rules, smallestCohort: 2 });
    if (keys.phase === 'reveal-nonces') keys = good(addNonce(keys, state.id, nonce as Uint8Array));
    return next;
  });
  const begun = good(keys.phase === 'reveal-nonces' ? closeNonces(keys) : keys);
  let sharing = begun;
  const shared = entered.map((state) => {
    const result = shareKeys(state, begun.nonces);
    sharing = good(addShares(sharing, state.own.id, result.shares));
    return result.state;
  });
  return { collecting: good(closeShares(sharing)), clients: shared };
}

/** Every client but the first `dropped` masks `input` and answers: what is left is to take the masks away from `sum`. */
export function maskAll(
  { collecting, clients }: SharedGroup,
  input: QuantizedInput,
  dropped: number,
): { unmasking: Unmasking; sum: Uint32Array } {
  const sum = new Uint32Array(input.length);
  let state = collecting;
  const masked = clients.slice(dropped).map((client) => {
    const result = maskInput(client, state.relay(client.own.id), input);
    addInto(sum, result.masked);
    state = good(countInput(state, client.own.id));
    return result.state;
  });
  let unmasking = good(closeInputs(state));
  for (const client of masked) {
    const { id } = client.members[client.index] as { id: ClientId };
    unmasking = good(addUnmaskReply(unmasking, id, answerUnmask(client, unmasking.survivors).reply));
  }
  return { unmasking, sum };
}
