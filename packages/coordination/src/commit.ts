import { combineGroups, type AggregatedUpdate, type GroupSum } from '@tutti/aggregation';
import type { Model } from '@tutti/model';
import { nextClippingNorm } from '@tutti/privacy';
import {
  recoverMasks,
  toSigned,
  wipeMasks,
  wipeReplies,
  type ClientId,
  type Unmasker,
} from '@tutti/secure-aggregation';
import type { Summing } from './attempt-state.ts';
import { PartialSumLostError } from './errors.ts';
import type { Group } from './groups.ts';
import type { TaskHistory } from './history.ts';
import type { AttemptEndReason } from './journal.ts';
import { layoutOf, LARGEST_ERROR, LARGEST_LOSS, LONGEST_HISTORY } from './lanes.ts';
import type { GroupKey, GroupSums } from './ports.ts';
import { trainedModel } from './slice.ts';
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

/** Where the running sums are, and what takes the masks from them. */
interface SumPorts {
  readonly sums: GroupSums;
  readonly unmasker: Unmasker;
}

/**
 * Takes the masks from every group's sum and adds the groups; a group that cannot be unmasked, or of whose sum a part is gone, is left
 * out.
 * @returns why not, where no group is left.
 * @param noise a word for each lane, which the coordinator adds; none where the devices did.
 */
export async function sumAttempt(
  config: TaskConfig,
  attempt: Summing,
  ports: SumPorts,
  noise?: Int32Array,
): Promise<Summed | AttemptEndReason> {
  const { description } = attempt;
  const summed: GroupSum[] = [];
  const culprits: ClientId[] = [];
  let isLost = false;
  for (const [group, state] of attempt.groups.entries()) {
    const one = await sumGroup({ attempt: description.attempt, group }, state, ports);
    if (one === 'lost') isLost = true;
    if (one === undefined || one === 'lost') continue;
    culprits.push(...one.culprits);
    summed.push({ sum: toSigned(one.sum, description.wordBits), survivors: one.survivors });
  }
  if (summed.length === 0) return isLost ? 'gateway-lost' : 'too-few-unmask-shares';
  const groups = summed.length;
  const fewestInGroup = Math.min(...summed.map(({ survivors }) => survivors));
  if (noise !== undefined) summed.push({ sum: noise, survivors: 0 });
  const lanes = layoutOf(description);
  const update = combineGroups(config.combine ?? 'mean', summed, lanes, description.scale, {
    rowTables: rowTablesOf(trainedModel(config)),
    clipIndicator: description.clipIndicator,
  });
  const { survivors } = update;
  return { update: overExpected(config, update), survivors, groups, fewestInGroup, culprits };
}

/** A group's sum without masks. */
interface Unmasked {
  readonly sum: Uint32Array;
  readonly survivors: number;
  readonly culprits: readonly ClientId[];
}

/** One group's sum without masks; nothing where they cannot be removed, `lost` where a part of the sum is gone. */
async function sumGroup(
  key: GroupKey,
  state: Group,
  { sums, unmasker }: SumPorts,
): Promise<Unmasked | 'lost' | undefined> {
  if (state.phase === 'plain-done') {
    const sum = await taken(sums, key, [...state.counted.keys()]);
    return sum === undefined ? 'lost' : { sum, survivors: state.counted.size, culprits: [] };
  }
  const masks = state.phase === 'unmask' ? recoverMasks(state) : undefined;
  if (state.phase === 'unmask') wipeReplies(state);
  if (state.phase !== 'unmask' || masks?.phase !== 'recovered') {
    sums.discard(key);
    return undefined;
  }
  try {
    const sum = await taken(sums, key, state.survivorIds);
    if (sum === undefined) return 'lost';
    await unmasker.remove(sum, masks);
    return { sum, survivors: state.survivorIds.length, culprits: masks.culprits };
  } finally {
    wipeMasks(masks);
  }
}

/** A group's running sum; undefined where a part of it, which another process held, is gone. */
async function taken(
  sums: GroupSums,
  key: GroupKey,
  clients: readonly ClientId[],
): Promise<Uint32Array | undefined> {
  try {
    return await sums.take(key, clients);
  } catch (error) {
    if (error instanceof PartialSumLostError) return undefined;
    throw error;
  }
}

/**
 * The mean over the clients that a Poisson sample has on average, not over those that it had: their number would tell readers of
 * the model something of who was asked.
 */
function overExpected({ poisson, cohort }: TaskConfig, update: AggregatedUpdate): AggregatedUpdate {
  if (poisson === undefined) return update;
  const share = update.totalWeight / cohort.planned;
  return { ...update, meanDelta: update.meanDelta.map((value) => value * share) };
}

/** A task as it is now: with the clipping norm that its rounds so far have led to. */
export function currentConfig(config: TaskConfig, { clippingNorm }: TaskHistory): TaskConfig {
  return clippingNorm === undefined || config.adaptiveClipping === undefined
    ? config
    : { ...config, clippingNorm };
}

/** Share of the clipped updates as it is told; noise can carry it out of [0, 1]. */
export const clippedShareOf = ({ clippedShare }: AggregatedUpdate): number | null =>
  clippedShare === null ? null : Math.min(1, Math.max(0, clippedShare));

/** Smallest and largest part of the first clipping norm that an adaptive one may reach: noise alone shall not carry it off. */
const CLIP_RANGE = [2 ** -20, 2 ** 20] as const;

/** C of the next round, from the share of clipped updates; undefined where it does not adapt. */
export function clippingNormAfter(
  config: TaskConfig,
  clippingNorm: number,
  { clippedShare }: AggregatedUpdate,
): number | undefined {
  if (config.adaptiveClipping === undefined || clippedShare === null) return undefined;
  const next = nextClippingNorm(clippingNorm, 1 - clippedShare, config.adaptiveClipping);
  const [least, most] = CLIP_RANGE;
  return Math.min(most * config.clippingNorm, Math.max(least * config.clippingNorm, next));
}

/** Means of the metric lanes; a lane's sum under noise can leave its range, and is brought back into it. */
export function metricsOf(update: AggregatedUpdate): {
  loss: number | null;
  metrics: {
    hr10: number | null;
    ndcg10: number | null;
    evaluated: number;
    rmse?: number | null;
    meanHistory?: number;
  };
} {
  const { metrics, survivors } = update;
  const evaluated = Math.max(0, metrics['evaluated'] ?? 0);
  const mean = (name: string, count: number): number | null =>
    count < 0.5 || metrics[name] === undefined
      ? null
      : Math.min(1, Math.max(0, (metrics[name] ?? 0) / count));
  const loss = mean('loss', survivors);
  const squares = mean('squared-error', Math.max(0, metrics['rated'] ?? 0));
  const rmse = squares === null ? null : LARGEST_ERROR * Math.sqrt(squares);
  const history = mean('history', survivors);
  return {
    loss: loss === null ? null : loss * LARGEST_LOSS,
    metrics: {
      hr10: mean('hr10', evaluated),
      ndcg10: mean('ndcg10', evaluated),
      evaluated,
      ...('rated' in metrics ? { rmse } : {}),
      ...(history === null ? {} : { meanHistory: Math.max(1, history * LONGEST_HISTORY) }),
    },
  };
}

/** Where the item tables stand in the delta: their rows are what row counts count. */
function rowTablesOf(model: Model): { offset: number; width: number }[] {
  return model.layout.parameters
    .filter(({ role }) => role === 'item-table')
    .map(({ offset, length }) => ({ offset, width: length / model.items }));
}
