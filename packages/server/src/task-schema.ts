import { COMBINATIONS, STRATEGY_NAMES } from '@tutti/aggregation';
import { JUDGED_METRICS, UNDECIDED_ACTIONS } from '@tutti/coordination';
import { MODEL_FAMILIES } from '@tutti/model';
import { LARGEST_COMPLETE_GRAPH, LARGEST_GROUP, MODES } from '@tutti/secure-aggregation';
import * as z from 'zod';
import { adaptiveClippingSchema, privacySchema } from './privacy-config.ts';

/** A task as it is written in the configuration, or sent to be created. */

/** Whether a text has no half of a surrogate pair in it. */
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

const catalogue = z
  .strictObject({
    ids: z
      .array(z.string().min(1).max(200))
      .min(1, 'has no item; one or more are needed')
      .max(1_048_576)
      .describe('the app’s own item ids; their order is the order of the item table'),
    titles: z.array(z.string().max(500)).optional(),
    genres: z.array(z.array(z.string().max(100)).max(50)).optional(),
    vectors: z
      .array(z.array(z.number()).max(4_096))
      .optional()
      .describe(
        'for model content: numbers of each item’s picture or text, all of one length, or none for an item; the coordinator keeps them to itself',
      ),
  })
  .check(({ value: { ids, titles, genres, vectors }, issues }) => {
    const refuse = (name: string, message: string): void =>
      void issues.push({ code: 'custom', input: undefined, path: [name], message });
    const seen = new Set<string>();
    // Two of them would be one as UTF-8.
    const broken = ids.findIndex((id) => !isWellFormed(id));
    if (broken >= 0) refuse('ids', `number ${broken + 1} is no well-formed text`);
    const twice = ids.find((id) => seen.has(id) || !seen.add(id));
    if (twice !== undefined) refuse('ids', `${twice} stands there twice`);
    for (const [name, list] of Object.entries({ titles, genres, vectors }))
      if (list !== undefined && list.length !== ids.length)
        refuse(name, `has ${list.length} entries; there are ${ids.length} ids`);
  });

const model = z
  .looseObject({ family: z.enum(['embedding-mlp', ...MODEL_FAMILIES, 'own']) })
  .describe(
    'the model family and its numbers; what is left out follows from the data. own: an app’s own model, as defineModel gives its config (docs/own-model.md)',
  );

const strategy = z.strictObject({
  name: z.enum(STRATEGY_NAMES),
  learningRate: z.number().positive().optional(),
  beta1: z.number().optional(),
  beta2: z.number().optional(),
  tau: z.number().optional(),
  decayRounds: z.number().optional(),
  weightDecay: z.number().optional(),
});

const policySchema = z
  .discriminatedUnion('mode', [
    z.strictObject({ mode: z.literal('manual') }),
    z.strictObject({
      mode: z.literal('automatic'),
      every: z.int().min(1).max(1_000_000).default(20).describe('rounds from one candidate to the next'),
      metric: z
        .enum(
          JUDGED_METRICS,
          `candidates are judged by ${JUDGED_METRICS.join(' or ')}: a figure from 0 to 1 of which more is better`,
        )
        .default('hr@10')
        .describe('of each person’s held-out item'),
      canaryShare: z
        .number()
        .gt(0)
        .max(1)
        .default(0.2)
        .describe('share of the devices that are asked at a look; nobody is asked at two'),
      margin: z
        .number()
        .min(0)
        .max(1)
        .default(0.02)
        .describe('how much worse than the incumbent a candidate may be'),
      confidence: z
        .number()
        .min(0.5)
        .max(0.999999)
        .default(0.95)
        .describe('chance that no look’s interval misses the truth'),
      minClients: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(100)
        .describe('people compared below whom nothing is decided'),
      maxRounds: z
        .int()
        .min(1)
        .max(1_000)
        .default(5)
        .describe('looks at most; maxRounds · canaryShare is at most 1'),
      undecided: z
        .enum(UNDECIDED_ACTIONS)
        .default('rollback')
        .describe('what is done with a candidate of which the last look still says nothing'),
    }),
  ])
  .prefault({ mode: 'manual' })
  .describe('manual: operators do it; automatic: candidates are judged by a part of the devices');

const milliseconds = z.int().min(1).max(3_600_000);

const publicKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'an Ed25519 public key, 64 lower-case hexadecimal digits, is expected');

/** The form of a task. */
export const taskSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a name of a-z, 0-9 and "-", at most 63, is expected'),
  catalogue,
  identity: z
    .discriminatedUnion('level', [
      z.strictObject({ level: z.enum(['open', 'pinned']) }),
      z.strictObject({ level: z.literal('enrolled'), authority: publicKey }),
      z.strictObject({
        level: z.literal('transparent'),
        authority: publicKey,
        url: z.url({ protocol: /^https?$/ }).describe('where the authority’s log is read'),
      }),
    ])
    .prefault({ level: 'open' })
    .describe(
      'how sure devices can be of each other (docs/identity.md); in production enrolled or transparent, with the public key of an authority that is not run here',
    ),
  meanHistory: z
    .union([z.number().positive().max(1e6), z.literal('counted')])
    .optional()
    .describe(
      'mean interactions a person, which defaults follow from; counted: learned from the first cohort, through a secure sum, before anything is trained. Left out it is counted, and 50 where ε is counted or the model is an app’s own',
    ),
  model: model.prefault({ family: 'mlp' }),
  strategy: strategy.optional(),
  clippingNorm: z.number().positive().max(1e9).optional(),
  rounds: z.int().min(0).max(0xffff_ffff).default(1_000_000).describe('updates to make'),
  round: z
    .strictObject({
      cohort: z.int().min(1).max(1_000_000).default(100),
      smallestCohort: z.int().min(1).max(1_000_000).optional(),
      largestGroup: z
        .int()
        .min(2)
        .max(LARGEST_GROUP)
        .default(LARGEST_COMPLETE_GRAPH)
        .describe('clients that mask together at most; above 128 their graph is sparse'),
      combine: z
        .enum(COMBINATIONS)
        .default('mean')
        .describe('how groups become one update; median and trimmed-mean bear a poisoned group'),
      mode: z
        .enum(MODES)
        .default('semi-honest')
        .describe('active: survivors are signed before anyone unmasks'),
      graph: z
        .strictObject({
          corruptPermille: z.int().min(0).max(333).default(50),
          dropoutPermille: z.int().min(0).max(500).default(50),
          largestComplete: z.int().min(2).max(LARGEST_COMPLETE_GRAPH).default(LARGEST_COMPLETE_GRAPH),
        })
        .prefault({})
        .describe('what a sparse graph bears, in thousandths of a group'),
      wordBits: z
        .union([z.literal(24), z.literal(32), z.literal('auto')])
        .default('auto')
        .describe(
          'bits of a word on the wire; auto: 24 where there is noise and they cost nothing, 32 otherwise',
        ),
      overselection: z.number().min(1).max(10).default(1.3),
      poissonPopulation: z
        .int()
        .min(1)
        .max(1_000_000_000)
        .optional()
        .describe(
          'all the clients that there are; each is then asked by a coin of its own with chance cohort · overselection over it, which is what makes readers of the model see less',
        ),
      selectionMs: z.int().min(0).max(3_600_000).optional(),
      slice: z
        .union([
          z.enum(['auto', 'off']),
          z.strictObject({
            rows: z.int().min(1).max(1_048_576),
            head: z
              .int()
              .min(0)
              .max(1_048_576)
              .optional()
              .describe('rows that stay for a cycle; half of them'),
          }),
        ])
        .default('auto')
        .describe(
          'how a wide catalogue travels: in public slices of so many rows; auto slices above 16,384 items',
        ),
      deadlines: z
        .strictObject({
          trainMs: milliseconds.default(120_000),
          revealNoncesMs: milliseconds.default(30_000),
          shareKeysMs: milliseconds.default(30_000),
          maskedInputMs: milliseconds.default(60_000),
          survivorsMs: milliseconds.default(30_000),
          unmaskMs: milliseconds.default(30_000),
        })
        .prefault({}),
    })
    .prefault({}),
  adaptiveClipping: adaptiveClippingSchema.describe('lets the clipping norm follow the updates'),
  metrics: z
    .boolean()
    .default(true)
    .describe('loss and ranking lanes; each costs a part of a privacy budget'),
  privacy: privacySchema,
  registry: z
    .strictObject({ policy: policySchema })
    .prefault({})
    .describe('who puts models on channels (docs/operations.md)'),
  seed: z.string().max(200).default('1'),
  keepCheckpoints: z.int().min(1).max(1_000_000).default(10),
  insecureSmallCohort: z.boolean().default(false),
  insecurePlain: z.boolean().default(false).describe('no masks at all: for tests and measurements only'),
});

/** A task with every default filled in. */
export type TaskEntry = z.output<typeof taskSchema>;
