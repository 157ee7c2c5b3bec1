import { utf8, type SecureRandom } from '@tutti/base';
import {
  addBundle,
  addInto,
  addNonce,
  addShares,
  addSignature,
  addUnmaskReply,
  advertiseKeys,
  answerSigned,
  answerUnmask,
  closeInputs,
  closeKeys,
  closeNonces,
  closeShares,
  closeSignatures,
  collectKeys,
  countInput,
  enterCohort,
  isRefused,
  maskInput,
  recoverMasks,
  removeMasks,
  shareKeys,
  signSurvivors,
  type Aborted,
  type ClientAdvertised,
  type ClientEntered,
  type ClientId,
  type ClientMasked,
  type ClientShared,
  type ClientSigned,
  type CryptoSuite,
  type GraphRules,
  type KeyPair,
  type QuantizedInput,
  type Refused,
  type RoundDigest,
  type Sharing,
  type Unmasking,
} from '../src/index.ts';

/** The phases in which a client can fall silent. */
export const DROPS = ['reveal-nonces', 'share-keys', 'masked-input', 'survivors', 'unmask'] as const;
export type Drop = (typeof DROPS)[number] | undefined;

/** The rules of most tests. */
export const SEMI_HONEST: GraphRules = {
  mode: 'semi-honest',
  corruptPermille: 50,
  dropoutPermille: 50,
  largestComplete: 128,
};
export const ACTIVE: GraphRules = { ...SEMI_HONEST, mode: 'active' };

/** One client of an exchange. */
interface Party {
  readonly id: ClientId;
  readonly identity: KeyPair;
  readonly advertised: ClientAdvertised;
  readonly drop: Drop;
}

/** What an exchange is made of. */
export interface ExchangeOptions {
  readonly inputs: readonly Uint32Array[];
  readonly drops: readonly Drop[];
  readonly crypto: CryptoSuite;
  readonly random: SecureRandom;
  readonly rules?: GraphRules;
  /** What becomes of an unmask answer on its way. */
  readonly tamper?: (client: number, reply: Uint8Array) => Uint8Array;
  /** What the wire leaves of masked words. */
  readonly carry?: (masked: Uint32Array) => Uint32Array;
}

/** What came of it. */
export type Exchanged =
  | Aborted
  | {
      readonly phase: 'summed';
      readonly sum: Uint32Array;
      readonly culprits: readonly ClientId[];
      readonly ids: readonly ClientId[];
    };

/** One whole exchange between honest parties, with the dropouts that are asked for. */
export function exchange(options: ExchangeOptions): Exchanged {
  const { inputs, drops, crypto, random, rules = SEMI_HONEST, tamper = (_client, reply) => reply } = options;
  const roundDigest = crypto.digest('round', utf8('test')) as RoundDigest;
  let advertising = collectKeys({ crypto, roundDigest, rules, largest: inputs.length, smallest: 2 });
  const parties = inputs.map((_, i): Party => {
    const identity = crypto.signKeyPair(random);
    const { state, bundle } = advertiseKeys({ roundDigest, identity, random, crypto });
    advertising = accepted(addBundle(advertising, bundle));
    return { id: state.id, identity, advertised: state, drop: drops[i] };
  });
  const keys = closeKeys(advertising);
  if (keys.phase === 'aborted') return keys;
  const entered = new Map<ClientId, ClientEntered>();
  let revealing = keys;
  for (const { id, advertised, drop } of parties) {
    const { state, nonce } = enterCohort(advertised, keys.roster, { ...rules, smallestCohort: 2 });
    if (drop === 'reveal-nonces' && keys.phase === 'reveal-nonces') continue;
    entered.set(id, state);
    if (revealing.phase === 'reveal-nonces')
      revealing = accepted(addNonce(revealing, id, nonce as Uint8Array));
  }
  const begun = revealing.phase === 'reveal-nonces' ? closeNonces(revealing) : revealing;
  if (begun.phase === 'aborted') return begun;
  const sum = new Uint32Array(inputs[0]?.length ?? 0);
  const unmasking = upToUnmasking(options, parties, begun, entered, sum, tamper);
  if (unmasking.phase === 'aborted') return unmasking;
  const recovered = recoverMasks(unmasking);
  if (recovered.phase === 'aborted') return recovered;
  removeMasks(sum, recovered, crypto);
  return { phase: 'summed', sum, culprits: recovered.culprits, ids: parties.map(({ id }) => id) };
}

function upToUnmasking(
  { inputs, carry = (words) => words }: ExchangeOptions,
  parties: readonly Party[],
  begun: Sharing,
  entered: ReadonlyMap<ClientId, ClientEntered>,
  sum: Uint32Array,
  tamper: (client: number, reply: Uint8Array) => Uint8Array,
): Unmasking | Aborted {
  let sharing = begun;
  const shared = new Map<ClientId, ClientShared>();
  for (const { id, drop } of parties) {
    const state = entered.get(id);
    if (state === undefined || drop === 'share-keys') continue;
    const result = shareKeys(state, begun.nonces);
    shared.set(id, result.state);
    sharing = accepted(addShares(sharing, id, result.shares));
  }
  const collecting0 = closeShares(sharing);
  if (collecting0.phase === 'aborted') return collecting0;
  let collecting = collecting0;
  const masked = new Map<ClientId, ClientMasked>();
  for (const [i, { id, drop }] of parties.entries()) {
    const state = shared.get(id);
    if (state === undefined || drop === 'masked-input') continue;
    const result = maskInput(state, collecting.relay(id), inputs[i] as QuantizedInput);
    masked.set(id, result.state);
    collecting = accepted(countInput(collecting, id));
    addInto(sum, carry(result.masked));
  }
  const closed = closeInputs(collecting);
  if (closed.phase === 'aborted') return closed;
  const signed = new Map<ClientId, ClientSigned>();
  let signing = closed;
  for (const { id, identity, drop } of parties) {
    const state = masked.get(id);
    if (signing.phase !== 'survivors' || state === undefined || drop === 'survivors') continue;
    const result = signSurvivors(state, closed.survivors, identity.secretKey);
    signed.set(id, result.state);
    signing = accepted(addSignature(signing, id, result.signature));
  }
  const asked = signing.phase === 'survivors' ? closeSignatures(signing) : signing;
  if (asked.phase === 'aborted') return asked;
  let unmasking = asked;
  for (const [i, { id, drop }] of parties.entries()) {
    if (!asked.asked.includes(id) || drop === 'unmask') continue;
    const { reply } =
      asked.signatures === undefined
        ? answerUnmask(masked.get(id) as ClientMasked, asked.survivors)
        : answerSigned(signed.get(id) as ClientSigned, asked.signatures(id));
    unmasking = accepted(addUnmaskReply(unmasking, id, tamper(i, reply)));
  }
  return unmasking;
}

/** What must not be a refusal. */
export function accepted<T extends object>(answer: T | Refused): T {
  if (isRefused(answer)) throw new Error(`${answer.refused}: ${answer.detail}`);
  return answer;
}
