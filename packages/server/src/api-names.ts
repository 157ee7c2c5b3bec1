import { roundRecordSchema } from '@tutti/coordination';
import type * as z from 'zod';
import { channelSchema, manifestSchema, signedModelSchema } from './api-models.ts';
import type { NamedSchemas } from './api-openapi.ts';
import { problemSchema } from './api-route.ts';
import { taskStatusSchema } from './api-schemas.ts';
import { taskSchema } from './task-schema.ts';

/** Schemas that the description names. */
export const SCHEMA_NAMES: NamedSchemas = new Map<z.core.$ZodType, { name: string; io: 'input' | 'output' }>([
  [problemSchema, { name: 'Problem', io: 'output' }],
  [taskStatusSchema, { name: 'TaskStatus', io: 'output' }],
  [taskSchema, { name: 'NewTask', io: 'input' }],
  [roundRecordSchema, { name: 'Round', io: 'output' }],
  [manifestSchema, { name: 'Manifest', io: 'output' }],
  [signedModelSchema, { name: 'Model', io: 'output' }],
  [channelSchema, { name: 'Channel', io: 'output' }],
]);
