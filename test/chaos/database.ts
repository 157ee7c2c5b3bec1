import { startTestServer } from '@tutti/storage-postgres/testing';
import type { ChaosDatabase } from './chaos.ts';

/** A PostgreSQL server for a chaos run; in words what is missing, where there is none on this machine. */
export async function openChaosDatabase(): Promise<(ChaosDatabase & { destroy(): Promise<void> }) | string> {
  const server = await startTestServer();
  if (typeof server === 'string') return server;
  return {
    address: await server.newDatabase(),
    async restart(how) {
      await server.stop(how);
      await server.start();
    },
    destroy: () => server.destroy(),
  };
}
