import type { Server as HttpsServer } from 'node:https';
import { systemRandom } from '@tutti/base';
import {
  COORDINATOR_KEY,
  createCoordination,
  type Blobs,
  type Clock,
  type Coordination,
  type CoordinationOptions,
  type Store,
  type TaskConfig,
} from '@tutti/coordination';
import type { LogMirror } from '@tutti/identity';
import { nodeCrypto, openUnmaskPool } from '@tutti/secure-aggregation/node';
import { addressReader } from './address.ts';
import { modelRoutes } from './api-models.ts';
import { streamRoutes } from './api-streams.ts';
import { taskRoutes } from './api-tasks.ts';
import { keepLogs, logsOf, readLogs } from './authority-logs.ts';
import { decodeConfig, type CoordinatorConfig, type CoordinatorConfigInput } from './config.ts';
import { withCreatedTasks } from './created-tasks.ts';
import { PortTakenError } from './errors.ts';
import { openGate } from './gate.ts';
import type { Readiness } from './http-health.ts';
import { openHttp, type Pages, type Patience } from './http.ts';
import { tasksOf } from './inspect-task.ts';
import { withKnownCatalogues } from './known-catalogues.ts';
import { logOpened, logTasks } from './log-events.ts';
import { logFeed, logTo } from './log-feed.ts';
import { errorFields, SILENT, type Limit, type Log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { refusalLog } from './refusal-log.ts';
import { openSockets, type SocketLimits } from './sockets.ts';
import { systemClock } from './system-clock.ts';
import { createdTasks, taskCreator } from './task-creator.ts';
import type { TaskEntry } from './task-schema.ts';
import { readCertificate, tlsOptions, type Certificate } from './tls.ts';
import { openTokens } from './tokens.ts';

/** How long open HTTP connections may end by themselves, in milliseconds. */
const CLOSE_MS = 2_000;

const DAY_MS = 86_400_000;

/** What a coordinator is made of. */
export interface CoordinatorOptions {
  readonly config: CoordinatorConfigInput;
  readonly store: Store;
  readonly blobs: Blobs;
  readonly clock?: Clock;
  readonly limits?: Partial<SocketLimits>;
  readonly patience?: Partial<Patience>;
  /** How long a drain goes on at least, within its deadline, so that `/readyz` tells a load balancer to send nobody any more; default 0, in milliseconds. */
  readonly noticeMs?: number;
  /** What runs the tasks: this process by itself, unless it is one of a cluster. */
  readonly coordinate?: (options: CoordinationOptions) => Promise<Coordination>;
  /** Threads that take the masks from sums; default the number of cores, at most 8. */
  readonly unmaskThreads?: number;
  /** A dashboard to serve, as `dashboardFiles()` of `@tutti/dashboard` gives it; a plain table without one. */
  readonly pages?: Pages;
  /** Hears what happens, as {@link jsonLog} writes it; silent without one. No key, weight or interaction is ever logged. */
  readonly log?: Log;
}

/** A coordinator with its sockets and its HTTP interface. */
export interface Coordinator extends AsyncDisposable {
  readonly coordination: Coordination;
  /** Starts to listen. @returns the address. @throws {PortTakenError} */
  listen(): Promise<string>;
  /** Whether rounds can begin here, as `/readyz` answers it. */
  readiness(): Readiness;
  /**
   * Stops well: `/readyz` says no, no round begins, and the one that is going on may end until the configured deadline. Whatever has
   * not ended then is ended by {@link Coordinator.close} with the reason `task-stopped`.
   * @returns whether everything ended by itself.
   */
  drain(): Promise<boolean>;
  /**
   * Reads the files of the certificate again; open connections go on.
   * @throws {ConfigError} if there is something wrong with them; the certificate that was there stays in use.
   */
  reloadCertificate(): void;
  /** Ends open attempts, says good-bye, closes. The store stays open: it belongs to who opened it. */
  close(): Promise<void>;
}

/**
 * Creates a coordinator from a configuration.
 * @throws {ConfigError} with everything that is wrong with the configuration, each with its path.
 * @throws {EnvironmentError} if the authority of a transparent task does not answer.
 */
export async function createCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { clock = systemClock(), coordinate = createCoordination } = options;
  const feed = logFeed(() => clock.now());
  const log = logTo(options.log ?? SILENT, feed);
  const given = decodeConfig(options.config);
  const config = await withKnownCatalogues(await withCreatedTasks(given, options.store), options);
  const tokens = openTokens(config.tokens, (error) =>
    log.write('failed', { part: 'tokens', ...errorFields(error) }),
  );
  const certificate = config.listen.tls && certificateOf(config.listen.tls, { log, clock });
  const tasks = tasksOf(config);
  const logs = logsOf(config, tasks);
  await readLogs(logs);
  const random = systemRandom();
  const { connections, inFlight, bytesInFlight } = config.limits;
  const gate = openGate(config.limits);
  const addressOf = addressReader(config.listen.trustedProxies);
  const watch: { metrics?: Metrics } = {};
  const refusals = refusalLog(log, clock);
  const onRefused = (limit: Limit, address: string): void => {
    watch.metrics?.refused(limit);
    refusals.refused(limit, address);
  };
  const sockets = openSockets({
    ...{ crypto: nodeCrypto, random, gate, addressOf, onRefused },
    limits: { connections, inFlight, bytesInFlight, ...options.limits },
  });
  const { unmaskThreads: workers } = options;
  const unmasker = openUnmaskPool(workers === undefined ? {} : { workers });
  const onProblem = (problem: Error): void =>
    log.write('failed', { part: 'authority', ...errorFields(problem) });
  const followed: (() => void)[] = [];
  const proved = new Map<string, LogMirror>();
  const serveLogOf = ({ name, identity }: TaskConfig): void => {
    if (identity?.level === 'transparent') proved.set(name, identity.log);
  };
  const shelf = {
    ...{ config, store: options.store, blobs: options.blobs },
    async followLogs(entry: TaskEntry, task: TaskConfig) {
      const more = logsOf({ ...config, tasks: [entry] }, [task]);
      await readLogs(more);
      followed.push(keepLogs(more, { clock, onProblem }));
      serveLogOf(task);
    },
  };
  const coordination = await coordinate({
    tasks,
    store: options.store,
    blobs: options.blobs,
    clock,
    random,
    crypto: nodeCrypto,
    outbox: sockets.outbox,
    unmasker,
    traffic: sockets.traffic,
    halfOpenUploads: config.limits.halfOpenUploads,
    created: createdTasks(shelf),
    ...(options.coordinate === undefined ? { openAgainMs: OPEN_AGAIN_MS } : {}),
  });
  const { readiness, become } = lifecycleOf(coordination);
  const metrics = createMetrics({
    coordination,
    traffic: sockets.traffic,
    connections: sockets.connections,
    isReady: () => readiness().status === 'ready',
  });
  watch.metrics = metrics;
  logTasks(coordination, log);
  followed.push(keepLogs(logs, { clock, onProblem }));
  tasks.forEach(serveLogOf);
  const creator = taskCreator({ ...shelf, coordination, log });
  const http = openHttp({
    coordination,
    blobs: options.blobs,
    sockets,
    logs: proved,
    api: {
      tokens,
      reach: () => options.store.get(COORDINATOR_KEY),
      routes: (streams) => [
        ...taskRoutes(coordination, creator),
        ...modelRoutes(coordination),
        ...streamRoutes(coordination, streams, feed),
      ],
    },
    health: { readiness, metrics, metricsOpen: config.metrics === 'open' },
    log,
    admission: { gate, addressOf, onRefused },
    ...(options.patience === undefined ? {} : { patience: options.patience }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(options.pages === undefined ? {} : { pages: options.pages }),
  });
  sockets.attach(http.server, coordination);
  let closed = false;
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    become('draining');
    for (const letBe of followed) letBe();
    await coordination.close();
    await unmasker.close();
    // A peer that keeps a connection open does not keep the coordinator.
    const impatient = setTimeout(() => http.server.closeAllConnections(), CLOSE_MS);
    await sockets.close();
    await http.close();
    clearTimeout(impatient);
    refusals.close();
    log.write('stopped', {});
  }
  return {
    coordination,
    readiness,
    async listen() {
      const { host, port } = config.listen;
      const url = await listenAt(config, () => http.listen({ host, port }));
      become('ready');
      log.write('listening', { url, tasks: tasks.length });
      logOpened(coordination, log);
      return url;
    },
    async drain() {
      const { deadlineMs } = config.drain;
      become('draining');
      log.write('draining', { deadlineMs });
      const noticeMs = Math.min(options.noticeMs ?? 0, deadlineMs);
      const notice = noticeMs > 0 && new Promise<void>((resolve) => clock.after(noticeMs, resolve));
      const [ended] = await Promise.all([within(coordination.drain(), deadlineMs, clock), notice]);
      return ended;
    },
    reloadCertificate() {
      if (config.listen.tls === undefined) return;
      try {
        const fresh = certificateOf(config.listen.tls, { log, clock });
        (http.server as unknown as HttpsServer).setSecureContext(tlsOptions(fresh));
      } catch (error) {
        log.write('failed', { part: 'certificate', ...errorFields(error) });
        throw error;
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function listenAt({ listen }: CoordinatorConfig, start: () => Promise<string>): Promise<string> {
  try {
    return await start();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE')
      throw new PortTakenError(listen.port, { cause });
    throw cause;
  }
}

function certificateOf(
  files: NonNullable<CoordinatorConfig['listen']['tls']>,
  { log, clock }: { readonly log: Log; readonly clock: Clock },
): Certificate {
  const certificate = readCertificate(files);
  log.write('certificate-read', { validDays: Math.floor((certificate.validToMs - clock.now()) / DAY_MS) });
  return certificate;
}

/** Whether `work` is done within `ms`. */
async function within(work: Promise<void>, ms: number, clock: Clock): Promise<boolean> {
  let cancel: () => void = () => undefined;
  const tooLate = new Promise<boolean>((resolve) => (cancel = clock.after(ms, () => resolve(false))));
  const done = await Promise.race([work.then(() => true), tooLate]);
  cancel();
  return done;
}

/** How often a task is opened again whose journal cannot be written, in milliseconds. */
const OPEN_AGAIN_MS = 2_000;

const PROBLEMS = {
  starting: 'it does not listen yet',
  draining: 'it is about to stop, and begins no round',
} as const;

/** How a coordinator stands: not well while a journal cannot be written, or what it stands on is away. */
function lifecycleOf(coordination: Coordination): {
  readiness(): Readiness;
  become(state: 'ready' | 'draining'): void;
} {
  let state: 'starting' | 'ready' | 'draining' = 'starting';
  const failed = new Set<string>();
  coordination.subscribe((event) => {
    if (event.type === 'failed' && event.fatal) failed.add(event.task);
    if (event.type === 'task-reopened') failed.delete(event.task);
  });
  return {
    readiness() {
      const [task] = failed;
      if (task !== undefined)
        return {
          status: 'failed',
          problem: `the journal of task ${task} cannot be written; mend its storage: it goes on by itself`,
        };
      if (state !== 'ready') return { status: state, problem: PROBLEMS[state] };
      const problem = coordination.problem?.();
      return problem === undefined ? { status: 'ready' } : { status: 'failed', problem };
    },
    become: (next) => void (state = next),
  };
}
