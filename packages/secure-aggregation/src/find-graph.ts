import { UsageError } from '@tutti/base';
import { searchGraph, type GraphParameters, type GraphQuestion } from './search-graph.ts';

/**
 * The smallest even degree k, and its threshold t, at which the graph of honest survivors stays connected, no member has t
 * corrupt neighbours, and every member has t surviving ones.
 *
 * @throws {UsageError} for a question that is not made of whole numbers in range.
 * @throws {NoGraphError} where no degree below n − 1 fits; the complete graph may.
 * @see Bell, Bonawitz, Gascón, Lepoint & Raykova, Secure Single-Server Aggregation with (Poly)Logarithmic Overhead, CCS
 *   2020, §3 and §4; the search is the one Flower's reference script makes.
 */
export function findGraph(question: GraphQuestion): GraphParameters {
  checkQuestion(question);
  return searchGraph(question);
}

function checkQuestion({
  members,
  corrupt,
  dropped,
  privacyBits = 40,
  correctnessBits = 30,
}: GraphQuestion): void {
  for (const [name, value, least] of [
    ['members', members, 4],
    ['corrupt', corrupt, 0],
    ['dropped', dropped, 0],
  ] as const)
    if (!Number.isSafeInteger(value) || value < least)
      throw new UsageError(`${name}: ${value}; a whole number from ${least} is needed`);
  if (corrupt + dropped >= members)
    throw new UsageError(`${corrupt} corrupt and ${dropped} dropped of ${members} members leave nobody`);
  for (const [name, bits] of [
    ['privacyBits', privacyBits],
    ['correctnessBits', correctnessBits],
  ] as const)
    if (!(bits > 0 && bits <= 128)) throw new UsageError(`${name}: ${bits}; above 0, at most 128 is needed`);
}
