import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  initialize,
  LIMIT_MS,
  newGround,
  query,
  serverOf,
  type Ground,
  type Server,
} from './testing-server.ts';
import { openWay, type Way } from './testing-way.ts';

/** A primary and a standby that gets its log, and an address that leads to whichever of them is the primary. */
export interface TestPair {
  /** The address of a new, empty database. */
  newDatabase(): Promise<string>;
  query(url: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** The standby hears nothing more of what the primary does. Only where it is asynchronous, else nothing is committed any more. */
  cutStandby(): void;
  /**
   * Cuts the primary off and kills it, makes the standby the primary, leads the address to it, and gives it a standby.
   * @param how connections to the dead one end: with a word, or in silence.
   */
  failOver(how: 'reset' | 'silent'): Promise<void>;
  destroy(): Promise<void>;
}

/** How a standby calls itself, for the primary to wait for it. */
const STANDBY = 'standby';

/** Starts one. @param synchronous nothing is acknowledged before the standby has it. @returns in words what is missing on this machine. */
export async function startTestPair({ synchronous = true } = {}): Promise<TestPair | string> {
  const ground = newGround();
  if (typeof ground === 'string') return ground;
  initialize(ground, join(ground.folder, 'data-0'));
  let made = 0;
  let number = 0;
  let primary = serverIn(ground, number);
  await primary.start();
  const way = await openWay(socketOf(primary));
  if (synchronous) await waitForStandby(primary);
  let standby = await standbyOf(ground, primary, ++number);
  const addressOf = (database: string): string => `postgres://tutti@127.0.0.1:${way.port}/${database}`;
  return {
    query,
    async newDatabase() {
      const name = `test_${++made}`;
      await query(addressOf('postgres'), `create database ${name}`);
      return addressOf(name);
    },
    cutStandby: () => standby.wire.hold(),
    async failOver(how) {
      way.leadTo(undefined, how);
      await primary.stop('crash');
      await standby.wire.close();
      await query(standby.server.addressOf('postgres'), 'select pg_promote(true, 20)');
      primary = standby.server;
      way.leadTo(socketOf(primary), how);
      standby = await standbyOf(ground, primary, ++number);
    },
    async destroy() {
      await way.close();
      await standby.wire.close();
      await standby.server.stop('crash');
      await primary.stop('crash');
      ground.remove();
    },
  };
}

/** Every server has a folder of its own for its socket, which a standby reaches through a wire of its own. */
function serverIn(ground: Ground, number: number, more: Readonly<Record<string, string>> = {}): Server {
  const socket = join(ground.folder, `socket-${number}`);
  ground.makeFolder(socket);
  return serverOf(ground, { data: join(ground.folder, `data-${number}`), socket, more });
}

const socketOf = ({ socket }: Server): string => join(socket, '.s.PGSQL.5432');

interface Standby {
  readonly server: Server;
  /** Between it and its primary. */
  readonly wire: Way;
}

/** A copy of the primary, that follows it. */
async function standbyOf(ground: Ground, primary: Server, number: number): Promise<Standby> {
  const data = join(ground.folder, `data-${number}`);
  ground.run('pg_basebackup', [
    '-h',
    primary.socket,
    '-U',
    'tutti',
    '-D',
    data,
    '-X',
    'stream',
    '-c',
    'fast',
    '--no-sync',
  ]);
  writeFileSync(join(data, 'standby.signal'), '');
  const wire = await openWay(socketOf(primary));
  const conninfo = `host=127.0.0.1 port=${wire.port} user=tutti application_name=${STANDBY}`;
  const server = serverIn(ground, number, {
    primary_conninfo: conninfo,
    wal_retrieve_retry_interval: '100ms',
  });
  await server.start();
  const streams = `select 1 from pg_stat_replication where application_name = '${STANDBY}' and state = 'streaming'`;
  const deadline = Date.now() + LIMIT_MS;
  while ((await query(primary.addressOf('postgres'), streams)).length === 0) {
    if (Date.now() > deadline) throw new Error('the standby does not follow its primary');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return { server, wire };
}

/** Nothing is acknowledged before the standby has it; a standby that is made of it has the same settings. */
async function waitForStandby(primary: Server): Promise<void> {
  await query(primary.addressOf('postgres'), `alter system set synchronous_standby_names = '${STANDBY}'`);
  await query(primary.addressOf('postgres'), 'select pg_reload_conf()');
}
