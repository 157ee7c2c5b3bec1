import { UsageError } from '@tutti/base';
import {
  calibratedTask,
  problemsOfTask,
  type MechanismConfig,
  type NoiseConfig,
  type TaskConfig,
} from '@tutti/coordination';
import { defaultNoiseMultiplier } from '@tutti/model';
import { bandedCoefficients, CLIP_LEARNING_RATE } from '@tutti/privacy';
import * as z from 'zod';

/** What noise a task's sums carry, what that guarantees, and how clients are asked: the part of a task that costs or buys privacy. */

const count = z.int().min(1).max(0xffff_ffff);

const counting = {
  noiseMultiplier: z
    .number()
    .positive()
    .max(1e3)
    .optional()
    .describe(
      'z: deviation of the sum’s noise over the clipping norm; left out, the least for epsilon, or what keeps rows of this family from being told apart by person',
    ),
  metricNoiseMultiplier: z
    .number()
    .min(0)
    .max(1e4)
    .optional()
    .describe('the same for each metric lane, over 1; left out, 6 z where ε is counted, else none'),
  delta: z.number().min(1e-15).max(0.5).optional().describe('δ; with it, ε is counted'),
  epsilon: z.number().positive().optional().describe('the budget: the task stops before it is exceeded'),
  budgetRounds: count
    .optional()
    .describe('rounds that the budget is to last for; those of the task when left out'),
  budgetEvaluations: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe('measurements of everybody beside them'),
  against: z
    .enum(['coordinator', 'readers'])
    .optional()
    .describe('whose view the budget is for; the coordinator’s, unless it adds the noise itself'),
  colluders: z
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .describe(
      'members of a group that are assumed to add no noise, and to tell the coordinator all they know',
    ),
  survivorShare: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe(
      'part of its smallest group that has to survive: noise is meant for so many; left out, what the threshold of secret sharing leaves',
    ),
  participation: z
    .strictObject({ most: count, separation: count.default(1) })
    .optional()
    .describe('how often a device takes part, and how many rounds apart; it keeps to it itself'),
};

const steps = count.optional().describe('rounds of one run of the noise; all that are planned when left out');

/** How noise gets onto a sum, and what it guarantees. */
export const privacySchema = z
  .discriminatedUnion('mechanism', [
    z.strictObject({ mechanism: z.literal('none') }),
    z.strictObject({ mechanism: z.literal('skellam').describe('devices add it'), ...counting }),
    z.strictObject({
      mechanism: z.literal('gaussian').describe('the coordinator adds it, and is trusted with the exact sum'),
      ...counting,
    }),
    z.strictObject({
      mechanism: z
        .literal('tree')
        .describe('the coordinator adds it, correlated over the rounds by a binary tree'),
      ...counting,
      steps,
    }),
    z.strictObject({
      mechanism: z.literal('banded').describe('the same by a banded matrix, which leaves less noise'),
      ...counting,
      steps,
      bands: z.int().min(1).max(128).optional().describe('the best number when left out'),
    }),
  ])
  .prefault({ mechanism: 'skellam' });

/** Lets the clipping norm follow the updates. */
export const adaptiveClippingSchema = z
  .strictObject({
    quantile: z.number().gt(0).lt(1).default(0.5).describe('part of the updates that should pass unclipped'),
    learningRate: z.number().gt(0).max(10).default(CLIP_LEARNING_RATE),
  })
  .optional();

export type PrivacyConfig = z.output<typeof privacySchema>;
type Noisy = Exclude<PrivacyConfig, { mechanism: 'none' }>;

/** Rounds that a task makes where it is not told how many: no budget is planned for so many. */
const ENDLESS_ROUNDS = 1_000_000;

/** Noise of metric lanes over that of the delta lanes, where ε is counted and nothing is said. */
const METRIC_RATIO = 6;

/** Whether ε is counted. */
export const countsEpsilon = (privacy: PrivacyConfig): boolean =>
  privacy.mechanism !== 'none' && privacy.delta !== undefined;

/** Whether noise cancels only in a sum of updates, which is what some strategies make. */
export const isCorrelated = ({ mechanism }: PrivacyConfig): boolean =>
  mechanism === 'tree' || mechanism === 'banded';

/**
 * The task with its noise: as it is given, or the least that its budget allows.
 * @throws {UsageError} with a line for everything that does not go together.
 */
export function withPrivacy(task: TaskConfig, privacy: PrivacyConfig): TaskConfig {
  if (privacy.mechanism === 'none') return { ...task, noise: { multiplier: 0, metricMultiplier: 0 } };
  const planned = privacy.budgetRounds ?? task.rounds;
  checkTogether(privacy, planned);
  const multiplier = privacy.noiseMultiplier ?? defaultNoiseMultiplier(task.model.config.family);
  const metricMultiplier =
    privacy.metricNoiseMultiplier ?? (privacy.delta === undefined ? 0 : METRIC_RATIO * multiplier);
  const noisy: TaskConfig = {
    ...task,
    noise: { multiplier, metricMultiplier, ...noiseOf(privacy, planned) },
  };
  const { epsilon } = privacy;
  const evaluations = privacy.budgetEvaluations + (task.census === undefined ? 0 : 1);
  const seeks = epsilon !== undefined && privacy.noiseMultiplier === undefined;
  // What is wrong otherwise is told by name, not by a search that fails.
  if (!seeks || problemsOfTask(noisy).length > 0) return noisy;
  return calibratedTask(noisy, { epsilon, rounds: planned, evaluations });
}

function checkTogether(privacy: Noisy, planned: number): void {
  const { mechanism, noiseMultiplier, epsilon, delta, metricNoiseMultiplier } = privacy;
  const seeks = epsilon !== undefined && noiseMultiplier === undefined;
  const problems = [
    epsilon !== undefined && delta === undefined
      ? `privacy.epsilon: ${epsilon} needs a privacy.delta beside it`
      : undefined,
    mechanism !== 'skellam' && noiseMultiplier === undefined && epsilon === undefined
      ? `privacy.mechanism: ${mechanism} needs a noiseMultiplier, or an epsilon to find one for`
      : undefined,
    seeks && planned >= ENDLESS_ROUNDS
      ? `privacy.epsilon: ${epsilon} for how many rounds? Say rounds, privacy.budgetRounds, or a noiseMultiplier`
      : undefined,
    (mechanism === 'tree' || mechanism === 'banded') &&
    privacy.steps === undefined &&
    planned >= ENDLESS_ROUNDS
      ? `privacy.steps: ${mechanism} over how many rounds? Say rounds, privacy.budgetRounds, or privacy.steps`
      : undefined,
    seeks && metricNoiseMultiplier !== undefined
      ? 'privacy.metricNoiseMultiplier: is found together with the noise multiplier for epsilon'
      : undefined,
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
}

function noiseOf(privacy: Noisy, planned: number): Partial<NoiseConfig> {
  const { delta, epsilon, against, colluders, survivorShare, participation } = privacy;
  return {
    mechanism: mechanismOf(privacy, planned),
    ...(delta === undefined
      ? {}
      : {
          accounting: {
            dpDelta: delta,
            ...(epsilon === undefined ? {} : { epsilonBudget: epsilon }),
            ...(against === undefined ? {} : { against }),
          },
        }),
    ...(colluders === undefined ? {} : { colluders }),
    ...(survivorShare === undefined ? {} : { survivorShare }),
    ...(participation === undefined ? {} : { participation }),
  };
}

function mechanismOf(privacy: Noisy, planned: number): MechanismConfig {
  switch (privacy.mechanism) {
    case 'skellam':
    case 'gaussian':
      return { name: privacy.mechanism };
    case 'tree':
      return { name: 'tree', steps: privacy.steps ?? planned };
    case 'banded': {
      const { steps = planned, bands, participation = { most: planned, separation: 1 } } = privacy;
      return { name: 'banded', steps, coefficients: bandedCoefficients(steps, participation, bands) };
    }
  }
}
