import {
  judgementSchema,
  RegistryError,
  type Coordination,
  type Registry,
  type SignedManifest,
} from '@tutti/coordination';
import { CHANNELS, type Channel, type Manifest, type SignedPromotion } from '@tutti/protocol';
import * as z from 'zod';
import { absentTask } from './absent-task.ts';
import { ApiError, jsonRoute, type ApiRoute } from './api-route.ts';
import { pageQuery } from './api-schemas.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const signature = z.string().regex(/^[0-9a-f]{128}$/);
const figure = z.number().nullable();
const count = z.int().min(0);

/** What a model is: the same form that clients take apart. */
export const manifestSchema = z
  .strictObject({
    v: z.literal(1),
    task: z.string(),
    round: count,
    kind: z.enum(['first', 'round', 'catalogue']),
    atMs: z.number(),
    ...{ modelHash: hash, layoutHash: hash, catalogueHash: hash, parent: hash.nullable() },
    cohort: z.strictObject({ selected: count, cohort: count, reported: count }).nullable(),
    epsilon: z.strictObject({ coordinator: figure, readers: figure }).nullable(),
    metrics: z
      .strictObject({ hr10: figure, ndcg10: figure, rmse: figure, loss: figure, evaluated: z.number() })
      .nullable(),
  })
  .describe('what a model is, where it comes from, and what is known of it') satisfies z.ZodType<Manifest>;

const modelSchema = z.strictObject({ hash, manifest: manifestSchema, channels: z.array(z.enum(CHANNELS)) });

export const signedModelSchema = modelSchema
  .extend({
    signature,
    kept: z.boolean().describe('whether its checkpoint is still there'),
    judged: z.nullable(judgementSchema).describe('how it was judged as a candidate on channel canary'),
  })
  .describe('a model, with the coordinator’s word on it') satisfies z.ZodType<SignedManifest>;

const modelsSchema = z.strictObject({
  models: z.array(modelSchema).describe('the newest first'),
  next: z.int().nullable().describe('`from` of the next page; null where there is none'),
});

export const channelSchema = z
  .strictObject({
    promotion: z.strictObject({
      ...{ v: z.literal(1), task: z.string(), channel: z.enum(CHANNELS), sequence: z.int().min(1) },
      ...{ atMs: z.number(), manifest: hash.nullable(), by: z.string() },
    }),
    promotionSignature: signature,
    manifest: manifestSchema.nullable(),
    manifestSignature: signature.nullable(),
  })
  .describe('what a channel has, signed') satisfies z.ZodType<SignedPromotion>;

/** The routes of models and channels. */
export function modelRoutes(coordination: Coordination): readonly ApiRoute[] {
  const registryOf = (task = ''): Registry => {
    const registry = coordination.registry(task);
    if (registry === undefined) throw absentTask(coordination, task);
    return registry;
  };
  const current = async (registry: Registry, channel: Channel): Promise<z.input<typeof channelSchema>> => {
    const found = await registry.current(channel);
    if (found === undefined)
      throw new ApiError(404, 'model/nothing-promoted', `nothing was ever put on channel ${channel}`);
    return found;
  };
  return [
    jsonRoute({
      ...{
        method: 'get',
        path: '/tasks/{task}/models',
        operation: 'listModels',
        summary: 'the models of a task',
      },
      ...{ query: pageQuery, schema: modelsSchema },
      async handle({ params: { task }, query: { from, limit } }) {
        const all = await registryOf(task).models();
        const page = all.slice(from - 1, from - 1 + limit);
        const next = from + page.length;
        return {
          models: page.map(({ channels, ...model }) => ({ ...model, channels: [...channels] })),
          next: page.length > 0 && next <= all.length ? next : null,
        };
      },
    }),
    jsonRoute({
      ...{ method: 'get', path: '/tasks/{task}/models/{model}', operation: 'showModel' },
      ...{ summary: 'a model, by the hash of its manifest or by its round', schema: signedModelSchema },
      async handle({ params: { task, model = '' } }) {
        const found = await registryOf(task).find(model);
        if (found === undefined) throw unknownModel();
        const { channels, ...signed } = found;
        return { ...signed, channels: [...channels] };
      },
    }),
    jsonRoute({
      ...{ method: 'post', path: '/tasks/{task}/models/{model}/promote', operation: 'promoteModel' },
      ...{ summary: 'put a model on a channel', role: 'operate', problems: [409] as const },
      ...{ body: z.strictObject({ channel: z.enum(CHANNELS) }), schema: channelSchema },
      async handle({ params: { task, model = '' }, body: { channel }, by }) {
        const registry = registryOf(task);
        await registry.change({ channel, model, by: by?.name ?? '' }).catch(refuse);
        return current(registry, channel);
      },
    }),
    jsonRoute({
      ...{ method: 'get', path: '/tasks/{task}/channels/{channel}', operation: 'showChannel' },
      ...{ summary: 'what clients of a channel rank with', schema: channelSchema },
      handle: async ({ params: { task, channel } }) => current(registryOf(task), channelIn(channel)),
    }),
    jsonRoute({
      ...{ method: 'post', path: '/tasks/{task}/channels/{channel}/rollback', operation: 'rollBack' },
      ...{ summary: 'take the last model off a channel', role: 'operate', problems: [409] as const },
      schema: channelSchema,
      async handle({ params: { task, channel }, by }) {
        const registry = registryOf(task);
        await registry.change({ channel: channelIn(channel), model: null, by: by?.name ?? '' }).catch(refuse);
        return current(registry, channelIn(channel));
      },
    }),
  ];
}

function channelIn(name = ''): Channel {
  const found = CHANNELS.find((channel) => channel === name);
  if (found !== undefined) return found;
  throw new ApiError(404, 'model/unknown-channel', `there are channels ${CHANNELS.join(' and ')}`);
}

const unknownModel = (): ApiError => new ApiError(404, 'model/unknown', 'there is no such model');

function refuse(error: unknown): never {
  if (!(error instanceof RegistryError)) throw error;
  throw error.reason === 'unknown-model'
    ? unknownModel()
    : new ApiError(409, `model/${error.reason}`, error.message);
}
