import { coordinatorProcess, TUTTI, type Process, type RoundLine } from '../cluster/coordinators.ts';
import { filmsTask, TAKE_OVER_MS, type Servers } from '../cluster/processes.ts';
import { openBalancer, type Balancer } from './balancer.ts';
import { clientHost, helper, type Helper } from './hosts.ts';
import { Ledger } from './ledger.ts';

/** Two gateways behind a load balancer, two owners, a worker, and two processes full of clients. */
export interface ClusterParts {
  readonly store: string;
  readonly balancer: Balancer;
  readonly ledger: Ledger;
  /** Owners, then gateways. */
  readonly processes: readonly Process[];
  readonly hosts: readonly Helper[];
  readonly worker: Helper;
  /** What the processes said lately. */
  said(): string;
  close(): Promise<void>;
}

/** The names of {@link ClusterParts.processes}. */
export const PROCESS_NAMES = ['owner 1', 'owner 2', 'gateway 1', 'gateway 2'] as const;

/** What they are started with. */
export interface PartsOptions {
  readonly redis: string;
  readonly store: string;
  readonly clients: number;
  /** The task's, where the usual small one is not enough. */
  readonly model?: { readonly items: number; readonly dimension: number };
}

/** Starts them on servers that run. */
export async function startParts(
  folder: string,
  { redis, store, clients, model }: PartsOptions,
): Promise<ClusterParts> {
  const processOf = (name: string, role: 'gateway' | 'owner'): Promise<Process> =>
    coordinatorProcess(folder, name, {
      ...{ store, cluster: { redis, roles: [role], takeOverMs: TAKE_OVER_MS } },
      tasks: [filmsTask(Math.max(4, clients - 4), model === undefined ? {} : large(model))],
    });
  const processes = await Promise.all(
    PROCESS_NAMES.map((name) => processOf(name, name.startsWith('owner') ? 'owner' : 'gateway')),
  );
  const ledger = new Ledger();
  const balancer = await openBalancer(processes.slice(2).map(({ url }) => url));
  const half = Math.ceil(clients / 2);
  const hosts = [0, 1].map((host) => clientHost(folder, balancer.url, host * half, half, ledger));
  const worker = helper([TUTTI, 'worker', '--config', processes[0]?.file ?? ''], () => undefined);
  const parts = { store, balancer, ledger, processes, hosts, worker };
  async function close(): Promise<void> {
    await Promise.all([worker, ...hosts].map((one) => one.kill()));
    for (const one of processes) {
      one.signal('SIGKILL');
      await one.ended();
    }
    await balancer.close();
  }
  try {
    await Promise.all(processes.map((one) => one.start()));
  } catch (error) {
    await close();
    throw error;
  }
  for (const one of [worker, ...hosts]) one.start();
  return {
    ...parts,
    said: () => processes.map((one, i) => `--- ${PROCESS_NAMES[i] ?? ''}\n${one.output()}`).join('\n'),
    close,
  };
}

const large = ({ items, dimension }: NonNullable<PartsOptions['model']>): object => ({
  catalogue: { ids: Array.from({ length: items }, (_, film) => `film-${film}`) },
  model: { family: 'mf', dimension },
});

/** The rounds as PostgreSQL has them. */
export async function journalOf(
  postgres: Pick<Servers['postgres'], 'query'>,
  store: string,
): Promise<RoundLine[]> {
  const rows = await postgres.query(
    store,
    `select entry->'record' as record from tutti.journal
     where task = 'films' and entry->>'type' = 'round-committed' order by position`,
  );
  return rows.map(({ record }) => record as RoundLine);
}

/** The process that has the task's lease. */
export async function ownerAmong(
  processes: readonly Process[],
  postgres: Pick<Servers['postgres'], 'query'>,
  store: string,
): Promise<Process | undefined> {
  const [row] = await postgres.query(store, `select holder from tutti.leases where scope = 'task:films'`);
  const pid = Number(/process (\d+)/.exec(String(row?.['holder']))?.[1]);
  return processes.find((one) => one.pid() === pid);
}
