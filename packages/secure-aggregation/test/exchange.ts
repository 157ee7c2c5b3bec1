import { utf8, type SecureRandom } from '@tutti/base';
import {
  addBundle,
  addInto,
  addShares,
  addUnmaskReply,
  advertiseKeys,
  answerUnmask,
  applyCorrections,
  closeInputs,
  closeKeys,
  closeShares,
  collectKeys,
  countInput,
  isRefused,
  maskInput,
  recoverMasks,
  shareKeys,
  type Aborted,
  type ClientId,
  type ClientMasked,
  type ClientShared,
  type CryptoSuite,
  type QuantizedInput,
  type Refused,
  type RoundDigest,
} from '../src/index.ts';

/** The phase in which a client falls silent. */
export type Drop = 'share-keys' | 'masked-input' | 'unmask' | undefined;

/** One whole exchange between honest parties, with the dropouts that are asked for. */
export function exchange(options: {
  readonly inputs: readonly Uint32Array[];
  readonly drops: readonly Drop[];
  readonly crypto: CryptoSuite;
  readonly random: SecureRandom;
  /** What becomes of an unmask answer on its way. */
  readonly tamper?: (client: number, reply: Uint8Array) => Uint8Array;
}):
  | Aborted
  | {
      phase: 'summed';
      sum: Uint32Array;
      culprits: readonly ClientId[];
      ids: readonly ClientId[];
    } {
  const { inputs, drops, crypto, random, tamper = (_client, reply) => reply } = options;
  const roundDigest = crypto.digest('round', utf8('test')) as RoundDigest;
  const length = inputs[0]?.length ?? 0;
  let advertising = collectKeys({
    crypto,
    roundDigest,
    largest: inputs.length,
    smallest: 2,
  });
  const clients = inputs.map((input, i) => {
    const { state, bundle } = advertiseKeys({
      roundDigest,
      identity: crypto.signKeyPair(random),
      random,
      crypto,
    });
    advertising = accepted(addBundle(advertising, bundle));
    return { id: state.id, input, drop: drops[i], advertised: state };
  });
  const sharing0 = closeKeys(advertising);
  if (sharing0.phase === 'aborted') return sharing0;
  let sharing = sharing0;
  const shared = new Map<ClientId, ClientShared>();
  for (const client of clients) {
    if (client.drop === 'share-keys') continue;
    const { state, shares } = shareKeys(client.advertised, sharing.roster, { smallestCohort: 2 });
    shared.set(client.id, state);
    sharing = accepted(addShares(sharing, client.id, shares));
  }
  const collecting0 = closeShares(sharing);
  if (collecting0.phase === 'aborted') return collecting0;
  let collecting = collecting0;
  const sum = new Uint32Array(length);
  const masked = new Map<ClientId, ClientMasked>();
  for (const client of clients) {
    const state = shared.get(client.id);
    if (state === undefined || client.drop === 'masked-input') continue;
    const result = maskInput(state, collecting.relay(client.id), client.input as QuantizedInput);
    masked.set(client.id, result.state);
    collecting = accepted(countInput(collecting, client.id));
    addInto(sum, result.masked);
  }
  const unmasking0 = closeInputs(collecting);
  if (unmasking0.phase === 'aborted') return unmasking0;
  let unmasking = unmasking0;
  for (const [i, client] of clients.entries()) {
    const state = masked.get(client.id);
    if (state === undefined || client.drop === 'unmask') continue;
    const reply = tamper(i, answerUnmask(state, unmasking.survivors).reply);
    unmasking = accepted(addUnmaskReply(unmasking, client.id, reply));
  }
  const recovered = recoverMasks(unmasking);
  if (recovered.phase === 'aborted') return recovered;
  applyCorrections(sum, recovered.corrections, crypto);
  return { phase: 'summed', sum, culprits: recovered.culprits, ids: clients.map(({ id }) => id) };
}

function accepted<T extends object>(answer: T | Refused): T {
  if (isRefused(answer)) throw new Error(`${answer.refused}: ${answer.detail}`);
  return answer;
}
