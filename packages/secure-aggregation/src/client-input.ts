import { wipe } from '@tutti/base';
import {
  abandon,
  orAbandon,
  spend,
  type ClientFinished,
  type ClientMasked,
  type ClientShared,
  type ClientSigned,
  type HeldShares,
} from './client-state.ts';
import { RefusalError } from './errors.ts';
import { bitAt, bitsOf } from './graph.ts';
import type { Member } from './key-bundle.ts';
import type { MaskStream } from './keystream.ts';
import type { MaskedInput, QuantizedInput } from './ring.ts';
import {
  decodeRecords,
  encodeRecords,
  pairSign,
  SEALED_SHARE_BYTES,
  selfSeed,
  shareNonce,
  SIGNATURE_RECORD_BYTES,
  survivorDigest,
  type Indexed,
} from './share-records.ts';

/** Phases 3 to 5 of a client: mask the input, agree on the survivors, answer once. */

/**
 * Phase 3. Opens the relayed shares (their senders and this client are U2, as far as this client's neighbours go) and masks
 * `input`.
 * @param relayed sealed records addressed to this client, by sender.
 * @param input not modified.
 * @throws {RefusalError} when a share is unreadable or fewer than the threshold came; the secrets are wiped then.
 */
export function maskInput(
  state: ClientShared,
  relayed: Uint8Array,
  input: QuantizedInput,
): { state: ClientMasked; masked: MaskedInput } {
  const { mode, own, cohort, members, index, graph } = state;
  return orAbandon(state, () => {
    const { crypto } = own;
    const records = decodeRecords(relayed, SEALED_SHARE_BYTES, members.length);
    if (records.length < graph.shape.threshold)
      throw new RefusalError(
        'too-few-survivors',
        `${records.length} neighbours shared keys; ${graph.shape.threshold} are needed`,
      );
    const held = records.map((record) => openShare(state, record));
    const masked = Uint32Array.from(input);
    const self = selfSeed(cohort, own.id, own.seed, crypto);
    crypto.addKeystreams(masked, [
      { seed: self, sign: 1 },
      ...held.map(({ index: at }) => pairMask(state, at)),
    ]);
    wipe(self);
    abandon(state);
    return {
      state: { phase: 'masked', mode, crypto, cohort, members, index, graph, held },
      masked: masked as MaskedInput,
    };
  });
}

function openShare(state: ClientShared, { index, body }: Indexed): HeldShares {
  const { own, cohort, members } = state;
  const sender = members[index] as Member;
  if (index === state.index) throw new RefusalError('malformed', 'a share came from this client itself');
  const key = state.sealingKeys.get(index);
  if (key === undefined)
    throw new RefusalError('not-a-member', `${sender.id} is no neighbour of this client`);
  const payload = own.crypto.open(body, shareNonce(cohort, sender.id, own.id, own.crypto), key);
  if (payload === undefined)
    throw new RefusalError('share-unreadable', `the share from ${sender.id} does not open`);
  return { index, seedShare: payload.subarray(0, 32), keyShare: payload.subarray(32, 64) };
}

function pairMask({ own, members, pairSeeds }: ClientShared, at: number): MaskStream {
  return { seed: pairSeeds.get(at) as Uint8Array, sign: pairSign(own.id, (members[at] as Member).id) };
}

/**
 * Phase 4, active mode. Checks who the survivors are and signs it.
 * @param survivors U3 as a bitmap over the roster.
 * @param secretKey of the identity that advertised; not kept.
 * @returns a signature of V, 64 bytes.
 * @throws {RefusalError} when U3 leaves this client out, is not within U2, or is too small; the secrets are wiped then.
 */
export function signSurvivors(
  state: ClientMasked,
  survivors: Uint8Array,
  secretKey: Uint8Array,
): { state: ClientSigned; signature: Uint8Array } {
  return orAbandon(state, () => {
    if (state.mode !== 'active') throw new RefusalError('wrong-phase', 'only active groups sign survivors');
    checkSurvivors(state, survivors);
    const { mode, crypto, cohort, members, index, graph, held } = state;
    const signature = crypto.sign(survivorDigest(cohort, survivors, crypto), secretKey);
    spend(state);
    return {
      state: {
        phase: 'signed',
        mode,
        crypto,
        cohort,
        members,
        index,
        graph,
        held,
        survivors: survivors.slice(),
      },
      signature,
    };
  });
}

/**
 * Phase 5. For each neighbour in U2 exactly one share: of its self seed if it survived, of its mask key if not.
 * @param survivors U3 as a bitmap over the roster.
 * @throws {RefusalError} when U3 leaves this client out, is not within U2, or is too small; and in active mode, where
 *   {@link answerSigned} answers, for survivors that nobody signed.
 */
export function answerUnmask(
  state: ClientMasked,
  survivors: Uint8Array,
): { state: ClientFinished; reply: Uint8Array } {
  return orAbandon(state, () => {
    if (state.mode !== 'semi-honest')
      throw new RefusalError('wrong-phase', 'in active mode survivors are signed first');
    checkSurvivors(state, survivors);
    return reveal(state, survivors);
  });
}

/**
 * Phase 5, active mode. Checks that at least t neighbours signed the very survivors that this client signed, and answers.
 * @param signatures records of neighbours' positions and signatures.
 * @throws {RefusalError} for a signature that is not of these survivors, or too few.
 */
export function answerSigned(
  state: ClientSigned,
  signatures: Uint8Array,
): { state: ClientFinished; reply: Uint8Array } {
  return orAbandon(state, () => {
    const { crypto, cohort, members, graph, survivors } = state;
    const digest = survivorDigest(cohort, survivors, crypto);
    const neighbours = new Set(graph.neighbours(state.index));
    const records = decodeRecords(signatures, SIGNATURE_RECORD_BYTES, members.length);
    for (const { index, body } of records) {
      const { id, bundle } = members[index] as Member;
      if (!neighbours.has(index) || !bitAt(survivors, index))
        throw new RefusalError('not-a-member', `${id} is no neighbour of this client among the survivors`);
      if (!crypto.verify(digest, body, bundle.identityKey))
        throw new RefusalError('bad-signature', `${id} did not sign these survivors`);
    }
    if (records.length < graph.shape.threshold)
      throw new RefusalError(
        'too-few-signatures',
        `${records.length} neighbours signed the survivors; ${graph.shape.threshold} are needed`,
      );
    return reveal(state, survivors);
  });
}

function reveal(
  state: ClientMasked | ClientSigned,
  survivors: Uint8Array,
): { state: ClientFinished; reply: Uint8Array } {
  const reply = encodeRecords(
    state.held.map(({ index, seedShare, keyShare }) => ({
      index,
      body: bitAt(survivors, index) ? seedShare : keyShare,
    })),
  );
  abandon(state);
  return { state: { phase: 'finished' }, reply };
}

/** U3 holds this client, none of its neighbours that did not share keys, no stranger, and enough members. */
function checkSurvivors({ index, members, graph, held }: ClientMasked, survivors: Uint8Array): void {
  if (survivors.length !== Math.ceil(members.length / 8))
    throw new RefusalError(
      'malformed',
      `a bitmap of ${survivors.length} bytes over ${members.length} members`,
    );
  const shared = new Set(held.map((share) => share.index));
  const silent = new Set(graph.neighbours(index).filter((neighbour) => !shared.has(neighbour)));
  const named = bitsOf(survivors);
  for (const at of named)
    if (at >= members.length || silent.has(at))
      throw new RefusalError('survivors-outside-cohort', `position ${at} did not share keys`);
  if (!bitAt(survivors, index))
    throw new RefusalError('called-dropped', 'this client uploaded and is called dropped');
  const { fewestSurvivors } = graph.shape;
  if (named.length < fewestSurvivors)
    throw new RefusalError('too-few-survivors', `${named.length} survivors; ${fewestSurvivors} are needed`);
}
