import * as z from 'zod';
import { isPortRight, isStoreAddress, PORT_EXPECTED, storeAddress } from './store-address.ts';

/** What a process needs to be one of many. Left out, a coordinator is one process, and nothing of this is loaded. */
export const clusterSchema = z
  .strictObject({
    redis: z
      .string()
      .regex(/^rediss?:\/\/./, 'redis://[USER:PASSWORD@]HOST:6379[/N] is expected')
      .refine(isPortRight, PORT_EXPECTED)
      .describe('carries messages between the processes; nothing that has to last'),
    roles: z
      .array(z.enum(['gateway', 'owner']))
      .min(1)
      .max(2)
      .default(['gateway', 'owner'])
      .describe('gateway: serves clients; owner: runs the tasks whose lease it holds'),
    takeOverMs: z
      .int()
      .min(1_000)
      .max(600_000)
      .default(6_000)
      .describe(
        'a process that gives no sign of life for so long counts as gone, and its tasks are taken over',
      ),
  })
  .optional()
  .describe('one of several processes that are one coordinator together (docs/cluster.md)');

/** Whether a configuration, as far as it is one, keeps everything where all processes of its cluster reach it. */
export function isStoreShared(config: { readonly store?: unknown; readonly cluster?: unknown }): boolean {
  const { store, cluster } = config;
  const isAddress = typeof store === 'string' && isStoreAddress(store);
  return cluster === undefined || !isAddress || storeAddress(store).kind === 'postgres';
}

/** What is said where it does not; beside everything else that is wrong. */
export const STORE_NOT_SHARED = {
  path: ['store'],
  message: 'a cluster keeps everything in PostgreSQL: postgres://USER@HOST:5432/DATABASE is expected',
  when: () => true,
};
