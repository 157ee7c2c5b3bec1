import { utf8 } from '@tutti/base';
import { createModel, resolveModelConfig } from '@tutti/model';
import type { AttemptFacts } from '../src/describe.ts';
import type { TaskConfig } from '../src/task-config.ts';

/** A small task that nothing is wrong with. */
export function smallTask(over: Partial<TaskConfig> = {}): TaskConfig {
  return {
    name: 'films',
    model: createModel(resolveModelConfig({ family: 'mf', dimension: 4 }, { items: 10, meanHistory: 3 }), 10),
    catalogue: utf8('{}'),
    strategy: { name: 'fedavg' },
    clippingNorm: 1,
    rounds: 10,
    cohort: { planned: 40, smallest: 16, largestGroup: 128, overselection: 1.3 },
    deadlinesMs: { train: 1, shareKeys: 1, maskedInput: 1, unmask: 1 },
    protection: 'secure',
    noise: { multiplier: 0, metricMultiplier: 0 },
    seed: '1',
    keepCheckpoints: 1,
    ...over,
  };
}

/** Its first attempt. */
export const FACTS: AttemptFacts = {
  purpose: 'train',
  round: 1,
  attempt: 1,
  previousDigest: '0'.repeat(64),
  modelHash: 'a'.repeat(64),
  layoutHash: 'b'.repeat(64),
  catalogueHash: 'c'.repeat(64),
  planned: 40,
};
