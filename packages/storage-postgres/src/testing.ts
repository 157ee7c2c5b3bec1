import { join } from 'node:path';
import { initialize, newGround, query, serverOf } from './testing-server.ts';

export { startTestPair, type TestPair } from './testing-pair.ts';

/** A PostgreSQL server of a test's own: a new cluster in a temporary folder, on a socket that only this machine's users see. */
export interface TestServer {
  /** The address of a new, empty database. */
  newDatabase(): Promise<string>;
  /** Ends it as an operator does, or kills it (SIGKILL): its other processes end when they see that. */
  stop(how?: 'crash' | 'fast'): Promise<void>;
  start(): Promise<void>;
  /** Runs one statement in a database. */
  query(url: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Ends it and removes its folder. */
  destroy(): Promise<void>;
}

/** Starts one. @returns in words what is missing on this machine, where it cannot be. */
export async function startTestServer(): Promise<TestServer | string> {
  const ground = newGround();
  if (typeof ground === 'string') return ground;
  const data = join(ground.folder, 'data');
  initialize(ground, data);
  const { addressOf, start, stop } = serverOf(ground, { data, socket: ground.folder });
  let made = 0;
  await start();
  return {
    start,
    stop: (how) => stop(how),
    query,
    async newDatabase() {
      const name = `test_${++made}`;
      await query(addressOf('postgres'), `create database ${name}`);
      return addressOf(name);
    },
    async destroy() {
      await stop('crash');
      ground.remove();
    },
  };
}
