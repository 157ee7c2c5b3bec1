import { UsageError } from '@tutti/base';
import type { NegativeSampler } from '@tutti/evaluation';
import { drawExamples } from '@tutti/model';

/** Negatives a positive, as the neural families draw them. */
const NEGATIVES = 4;

/** The negatives that training draws, one at a time: what the leak canary is let loose on. */
export function trainingSampler(items: number): NegativeSampler {
  let owner = -1;
  let waiting: number[] = [];
  return (user, positives, random) => {
    if (positives.size === 0 || positives.size >= items)
      throw new UsageError(`of ${items} items ${positives.size} are positives; no negative can be drawn`);
    if (owner !== user) waiting = [];
    owner = user;
    if (waiting.length === 0) {
      const { items: drawn, labels } = drawExamples(Int32Array.from(positives), items, NEGATIVES, random);
      waiting = Array.from(drawn).filter((_, at) => labels[at] === 0);
    }
    return waiting.pop() as number;
  };
}
