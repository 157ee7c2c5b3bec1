import {
  combineGroups,
  createStrategy,
  decodeStrategyState,
  encodeStrategyState,
  type AggregatedUpdate,
  type GroupSum,
} from '@tutti/aggregation';
import { decodeCheckpoint, encodeCheckpoint } from '@tutti/model';
import { roundedSensitivity } from '@tutti/privacy';
import type { RoundDescription } from '@tutti/protocol';
import { applyCorrections, recoverMasks, toSigned, type ClientId } from '@tutti/secure-aggregation';
import type { Summing } from './attempt.ts';
import { lanesOf, LARGEST_LOSS } from './describe.ts';
import type { ReleaseRecord } from './journal.ts';
import type { GroupSums } from './ports.ts';
import type { TaskConfig } from './task-config.ts';

/** What an attempt's sums say, and who is in them. */
export interface Summed {
  readonly update: AggregatedUpdate;
  readonly survivors: number;
  readonly groups: number;
  /** Survivors of the smallest group that was summed: the coordinator sees each group's sum, with its noise alone. */
  readonly fewestInGroup: number;
  /** Clients whose unmask shares did not fit. */
  readonly culprits: readonly ClientId[];
}

/** Takes the masks from every group's sum and adds the groups; a group that cannot be unmasked is left out. */
export async function sumAttempt(
  config: TaskConfig,
  attempt: Summing,
  sums: GroupSums,
): Promise<Summed | undefined> {
  const { description } = attempt;
  const summed: GroupSum[] = [];
  const culprits: ClientId[] = [];
  for (const [group, state] of attempt.groups.entries()) {
    const key = { attempt: description.attempt, group };
    if (state.phase === 'plain-done') {
      summed.push({ sum: toSigned(await sums.take(key)), survivors: state.counted.size });
      continue;
    }
    const recovered = state.phase === 'unmask' ? recoverMasks(state) : undefined;
    if (state.phase !== 'unmask' || recovered === undefined || recovered.phase === 'aborted') {
      sums.discard(key);
      continue;
    }
    const sum = await sums.take(key);
    applyCorrections(sum, recovered.corrections, attempt.crypto);
    culprits.push(...recovered.culprits);
    summed.push({ sum: toSigned(sum), survivors: state.survivorIds.length });
  }
  if (summed.length === 0) return undefined;
  const lanes = lanesOf(config, description.purpose);
  const update = combineGroups(config.combine ?? 'mean', summed, lanes, description.scale, {
    rowTables: rowTablesOf(config),
  });
  const fewestInGroup = Math.min(...summed.map(({ survivors }) => survivors));
  return { update, survivors: update.survivors, groups: summed.length, fewestInGroup, culprits };
}

/** Means of the metric lanes; a lane's sum under noise can leave its range, and is brought back into it. */
export function metricsOf(update: AggregatedUpdate): {
  loss: number | null;
  metrics: { hr10: number | null; ndcg10: number | null; evaluated: number };
} {
  const { metrics, survivors } = update;
  const evaluated = Math.max(0, metrics['evaluated'] ?? 0);
  const mean = (name: string, count: number): number | null =>
    count < 0.5 ? null : Math.min(1, Math.max(0, (metrics[name] ?? 0) / count));
  const loss = mean('loss', survivors);
  return {
    loss: loss === null ? null : loss * LARGEST_LOSS,
    metrics: { hr10: mean('hr10', evaluated), ndcg10: mean('ndcg10', evaluated), evaluated },
  };
}

/** The next checkpoint and the strategy's next state, as bytes. */
export function nextModel(
  config: TaskConfig,
  update: AggregatedUpdate,
  round: number,
  checkpoint: Uint8Array,
  strategyBytes: Uint8Array | undefined,
): { checkpoint: Uint8Array; strategy: Uint8Array } {
  const { layout } = config.model;
  const { shared } = decodeCheckpoint(checkpoint, layout);
  const strategy = createStrategy(config.strategy);
  const before =
    strategyBytes === undefined ? strategy.init(layout.length) : decodeStrategyState(strategyBytes);
  const { state, parameters } = strategy.apply(before, shared, update);
  return {
    checkpoint: encodeCheckpoint({
      layout,
      shared: parameters,
      metadata: { task: config.name, round: String(round) },
    }),
    strategy: encodeStrategyState(state),
  };
}

/**
 * What this round released, with the noise of the survivors that there actually were in a group: each person is in one group,
 * whose sum the coordinator sees apart. Nothing where ε is not counted.
 */
export function releaseOf(
  config: TaskConfig,
  description: RoundDescription,
  survivors: number,
): ReleaseRecord {
  const { noise, lanes, scale, clippingNorm } = description;
  if (config.noise.accounting === undefined || noise.mechanism === 'none') return null;
  const metric = {
    metricL2: (scale.metric + 1) * Math.sqrt(lanes.metrics.length + 1),
    metricVariance: noise.metricVariance * survivors,
  };
  if (lanes.delta === 0) return { l1: 0, l2: 0, variance: 0, ...metric };
  const l2 = roundedSensitivity(clippingNorm * scale.delta, lanes.delta);
  return {
    l1: Math.min(Math.sqrt(lanes.delta) * l2, l2 * l2),
    l2,
    variance: noise.deltaVariance * survivors,
    ...metric,
  };
}

/** Where the item tables stand in the delta: their rows are what row counts count. */
function rowTablesOf({ model }: TaskConfig): { offset: number; width: number }[] {
  return model.layout.parameters
    .filter(({ role }) => role === 'item-table')
    .map(({ offset, length }) => ({ offset, width: length / model.items }));
}
