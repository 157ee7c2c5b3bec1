import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { initialize, newGround, query, serverOf } from './testing-server.ts';

export { startTestPair, type TestPair } from './testing-pair.ts';
export { memoryFoldersOf } from './testing-server.ts';

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

/** A network of its own, in which it listens as well. */
export interface TestNetwork {
  readonly namespace: string;
  readonly address: string;
}

/** Starts one. @returns in words what is missing on this machine, where it cannot be. */
export async function startTestServer(on?: TestNetwork): Promise<TestServer | string> {
  const ground = newGround(on?.namespace);
  if (typeof ground === 'string') return ground;
  const data = join(ground.folder, 'data');
  initialize(ground, data);
  if (on !== undefined) appendFileSync(join(data, 'pg_hba.conf'), 'host all all samenet trust\n');
  const more = on === undefined ? {} : { listen_addresses: on.address };
  const { addressOf, start, stop } = serverOf(ground, { data, socket: ground.folder, more });
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
