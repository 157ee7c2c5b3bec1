import { fromHex, toHex } from '@tutti/base';
import {
  parseClientId,
  type CohortDigest,
  type RecoveredMasks,
  type RecoveredSecret,
} from '@tutti/secure-aggregation';
import * as z from 'zod/mini';
import type { Packet } from './packet.ts';

/** Masks that a worker makes: a part of those of one sum. */
export interface Shard {
  readonly words: number;
  readonly masks: RecoveredMasks;
}

const hex = z.string().check(z.regex(/^([0-9a-f]{2})+$/));
const head = z.strictObject({
  words: z.number().check(z.int(), z.gte(1)),
  cohortDigest: hex,
  /** The secret of each is beside it. */
  secrets: z.array(
    z.strictObject({
      owner: z.string(),
      /** Of a mask key: the neighbours. Nothing of a self seed. */
      peers: z.optional(z.array(z.tuple([z.string(), hex]))),
    }),
  ),
});

export function encodeShard({ words, masks }: Shard): Packet {
  const { cohortDigest, secrets } = masks;
  return {
    head: {
      ...{ words, cohortDigest: toHex(cohortDigest) },
      secrets: secrets.map((one) => ({
        owner: one.owner,
        ...(one.kind === 'self-seed'
          ? {}
          : { peers: one.peers.map(({ id, maskKey }) => [id, toHex(maskKey)]) }),
      })),
    },
    parts: secrets.map(({ secret }) => secret),
  };
}

/** The secrets are those of the packet. @throws what says which field is wrong. */
export function decodeShard(packet: Packet): Shard {
  const { words, cohortDigest, secrets } = head.parse(packet.head);
  return {
    words,
    masks: {
      phase: 'recovered',
      cohortDigest: fromHex(cohortDigest) as CohortDigest,
      culprits: [],
      secrets: secrets.map(({ owner, peers }, at): RecoveredSecret => {
        const one = { owner: parseClientId(owner), secret: fromPart(packet.parts[at]) };
        if (peers === undefined) return { kind: 'self-seed', ...one };
        const named = peers.map(([id, key]) => ({ id: parseClientId(id), maskKey: fromHex(key) }));
        return { kind: 'mask-key', ...one, peers: named };
      }),
    },
  };
}

function fromPart(part: Uint8Array | undefined): Uint8Array {
  if (part?.length !== 32) throw new Error('a secret has 32 bytes');
  return part;
}

/** A mask key with many neighbours costs as much as as many seeds. */
const streamsOf = (one: RecoveredSecret): number => (one.kind === 'self-seed' ? 1 : one.peers.length);

/** Secrets in at most `most` parts that cost about the same. */
export function splitSecrets(secrets: readonly RecoveredSecret[], most: number): RecoveredSecret[][] {
  const parts = Array.from({ length: Math.min(most, secrets.length) }, () => ({
    cost: 0,
    secrets: [] as RecoveredSecret[],
  }));
  for (const one of [...secrets].sort((a, b) => streamsOf(b) - streamsOf(a))) {
    const least = parts.reduce((a, b) => (b.cost < a.cost ? b : a));
    least.secrets.push(one);
    least.cost += streamsOf(one);
  }
  return parts.map(({ secrets: part }) => part);
}
