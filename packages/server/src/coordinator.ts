import { systemRandom } from '@tutti/base';
import {
  createCoordination,
  type Blobs,
  type Clock,
  type Coordination,
  type Store,
} from '@tutti/coordination';
import { nodeCrypto, openUnmaskPool } from '@tutti/secure-aggregation/node';
import type { FastifyBaseLogger } from 'fastify';
import { keepLogs, logsOf, readLogs } from './authority-logs.ts';
import { decodeConfig, tasksOf, type CoordinatorConfigInput } from './config.ts';
import { PortTakenError } from './errors.ts';
import { openHttp, type Pages } from './http.ts';
import { withKnownCatalogues } from './known-catalogues.ts';
import { openSockets, type SocketLimits } from './sockets.ts';
import { systemClock } from './system-clock.ts';

/** How long open HTTP connections may end by themselves, in milliseconds. */
const CLOSE_MS = 2_000;

/** What a coordinator is made of. */
export interface CoordinatorOptions {
  readonly config: CoordinatorConfigInput;
  readonly store: Store;
  readonly blobs: Blobs;
  readonly clock?: Clock;
  readonly limits?: Partial<SocketLimits>;
  /** Threads that take the masks from sums; default the number of cores, at most 8. */
  readonly unmaskThreads?: number;
  /** A dashboard to serve, as `dashboardFiles()` of `@tutti/dashboard` gives it; a plain table without one. */
  readonly pages?: Pages;
  /** A pino logger; silent without one. No key, weight or interaction is ever logged. */
  readonly logger?: FastifyBaseLogger;
}

/** A coordinator with its sockets and its HTTP interface. */
export interface Coordinator extends AsyncDisposable {
  readonly coordination: Coordination;
  /** Starts to listen. @returns the address. @throws {PortTakenError} */
  listen(): Promise<string>;
  /** Ends open attempts, says good-bye, closes. The store stays open: it belongs to who opened it. */
  close(): Promise<void>;
}

/**
 * Creates a coordinator from a configuration.
 * @throws {ConfigError} with everything that is wrong with the configuration, each with its path.
 * @throws {EnvironmentError} if the authority of a transparent task does not answer.
 */
export async function createCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const config = await withKnownCatalogues(decodeConfig(options.config), options);
  const tasks = tasksOf(config);
  const logs = logsOf(config, tasks);
  await readLogs(logs);
  const random = systemRandom();
  const clock = options.clock ?? systemClock();
  const sockets = openSockets({
    crypto: nodeCrypto,
    random,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const { unmaskThreads: workers } = options;
  const unmasker = openUnmaskPool(workers === undefined ? {} : { workers });
  const coordination = await createCoordination({
    tasks,
    store: options.store,
    blobs: options.blobs,
    clock,
    random,
    crypto: nodeCrypto,
    outbox: sockets.outbox,
    unmasker,
    traffic: sockets.traffic,
  });
  const http = openHttp({
    coordination,
    blobs: options.blobs,
    sockets,
    logs: new Map(
      tasks.flatMap(({ name, identity }) =>
        identity?.level === 'transparent' ? [[name, identity.log] as const] : [],
      ),
    ),
    ...(options.pages === undefined ? {} : { pages: options.pages }),
    ...(options.logger === undefined ? {} : { logger: options.logger }),
  });
  sockets.attach(http.server, coordination);
  const letLogsBe = keepLogs(logs, { clock, onProblem: (problem) => options.logger?.warn(problem) });
  let closed = false;
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    letLogsBe();
    await coordination.close();
    await unmasker.close();
    // A peer that keeps a connection open does not keep the coordinator.
    const impatient = setTimeout(() => http.server.closeAllConnections(), CLOSE_MS);
    await sockets.close();
    await http.close();
    clearTimeout(impatient);
  }
  return {
    coordination,
    async listen() {
      const { host, port } = config.listen;
      try {
        return await http.listen({ host, port });
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') throw new PortTakenError(port, { cause });
        throw cause;
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
