import { DecodeError, fromHex } from '@tutti/base';
import type { LogProofs } from '../ports.ts';
import type { Downloads } from './http.ts';

/** Positions that one request asks to have proved. */
const POSITIONS_A_REQUEST = 256;

/** Proofs out of the authority's log, from the coordinator, which relays them: each is checked against a signed head. */
export function coordinatorProofs(downloads: Downloads, task: string): LogProofs {
  const base = `/v1/tasks/${encodeURIComponent(task)}/log`;
  return {
    async consistency(from, to) {
      return bytesOf(fieldOf(await downloads.json(`${base}/consistency?from=${from}&to=${to}`), 'proof'));
    },
    async inclusion(indexes, size) {
      const proofs: Uint8Array[] = [];
      for (let at = 0; at < indexes.length; at += POSITIONS_A_REQUEST) {
        const part = indexes.slice(at, at + POSITIONS_A_REQUEST);
        const answer = await downloads.json(`${base}/inclusion?size=${size}&indexes=${part.join(',')}`);
        const found = fieldOf(answer, 'proofs');
        if (!Array.isArray(found) || found.length !== part.length)
          throw new DecodeError('proofs', `are not ${part.length}, as they were asked for`);
        proofs.push(...found.map(bytesOf));
      }
      return proofs;
    },
  };
}

function fieldOf(answer: unknown, name: string): unknown {
  return typeof answer === 'object' && answer !== null
    ? (answer as Record<string, unknown>)[name]
    : undefined;
}

function bytesOf(proof: unknown): Uint8Array {
  if (typeof proof !== 'string') throw new DecodeError('proof', 'is not text');
  return fromHex(proof, 'proof');
}
