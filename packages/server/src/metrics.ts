import type { Coordination, CoordinationEvent, Traffic } from '@tutti/coordination';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { VERDICTS } from './log.ts';

/** What a coordinator measures, for Prometheus. Every figure is about many people or about the machine. */
export interface Metrics {
  readonly contentType: string;
  /** In the text format. */
  text(): Promise<string>;
  request(route: string, method: string, status: number, seconds: number): void;
  refused(limit: string): void;
}

/** Bounds of a round’s duration, in seconds. */
const ROUND_SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800];
/** Bounds of a request’s duration, in seconds. */
const REQUEST_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** What metrics are read from. */
export interface MetricsOptions {
  readonly coordination: Coordination;
  readonly traffic: () => Traffic;
  readonly connections: () => number;
  readonly isReady: () => boolean;
}

/** Measures a coordinator. A registry of its own: two coordinators in one process do not mix. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const tasks = taskMetrics(registry, options.coordination);
  options.coordination.subscribe(tasks);
  machineMetrics(registry, options);
  const registers = [registry];
  const requests = new Histogram({
    ...{ name: 'tutti_http_request_seconds', help: 'HTTP requests by route', registers },
    ...{ labelNames: ['route', 'method', 'status'], buckets: REQUEST_SECONDS },
  });
  const refusals = new Counter({
    ...{ name: 'tutti_refused_total', help: 'what was over a limit', registers, labelNames: ['limit'] },
  });
  let isProcessMeasured = false;
  return {
    contentType: registry.contentType,
    async text() {
      // Memory, processor and event loop, from the first time that somebody asks.
      if (!isProcessMeasured) collectDefaultMetrics({ register: registry });
      isProcessMeasured = true;
      return registry.metrics();
    },
    request: (route, method, status, seconds) => requests.observe({ route, method, status }, seconds),
    refused: (limit) => refusals.inc({ limit }),
  };
}

/** Counts of tasks, told by their events. */
function taskMetrics(registry: Registry, coordination: Coordination): (event: CoordinationEvent) => void {
  const registers = [registry];
  const of = (name: string, help: string, ...more: string[]) => ({
    ...{ name: `tutti_${name}`, help, registers, labelNames: ['task', ...more] },
  });
  const committed = new Counter(of('rounds_committed_total', 'rounds that became a new model'));
  const aborted = new Counter(
    of('attempts_aborted_total', 'attempts that came to nothing, by reason', 'reason'),
  );
  const failures = new Counter(of('failures_total', 'mistakes of ours and of the machine', 'fatal'));
  const dropped = new Counter(
    of('clients_dropped_total', 'clients that stopped answering, by phase', 'phase'),
  );
  const declined = new Counter(
    of('clients_declined_total', 'clients that would not take part, by reason', 'reason'),
  );
  const judged = new Counter(
    of('models_judged_total', 'candidates on channel canary, by verdict', 'verdict'),
  );
  const difference = new Gauge(
    of(
      'model_judged_difference',
      'the last candidate that was judged less its incumbent: low and high end of the interval, and mean',
      ...['metric', 'bound'],
    ),
  );
  const reported = new Counter(of('clients_reported_total', 'clients in the sum of a committed round'));
  const seconds = new Histogram({
    ...of('round_seconds', 'from the first question to the new model'),
    buckets: ROUND_SECONDS,
  });
  taskGauges(registry, coordination);
  const begin = (task: string): void => {
    committed.inc({ task }, 0);
    failures.inc({ task, fatal: 'true' }, 0);
    // From the start: what only comes to be with the first verdict shows no increase by it.
    for (const verdict of VERDICTS) judged.inc({ task, verdict }, 0);
  };
  coordination.taskNames.forEach(begin);
  return (event) => {
    const { task } = event;
    if (event.type === 'task-opened') begin(task);
    if (event.type === 'failed') failures.inc({ task, fatal: String(event.fatal) });
    if (event.type === 'model-judged') {
      const { metric, verdict, low, high, difference: mean } = event;
      judged.inc({ task, verdict });
      for (const [bound, value] of Object.entries({ low, mean, high }))
        difference.set({ task, metric, bound }, value);
    }
    if (event.type === 'aborted') aborted.inc({ task, reason: event.reason });
    if (event.type !== 'aborted' && event.type !== 'committed') return;
    for (const { phase, count } of event.record.dropped) dropped.inc({ task, phase }, count);
    for (const [reason, count] of Object.entries(event.record.declined))
      declined.inc({ task, reason }, count);
    if (event.type === 'aborted') return;
    committed.inc({ task });
    reported.inc({ task }, event.record.reported);
    seconds.observe({ task }, event.record.durationMs / 1_000);
  };
}

/** How tasks stand, read when somebody asks. */
function taskGauges(registry: Registry, coordination: Coordination): void {
  const gauge = (name: string, help: string, read: (task: string) => number | null | undefined): void =>
    void new Gauge({
      ...{ name: `tutti_${name}`, help, registers: [registry], labelNames: ['task'] },
      collect() {
        this.reset();
        for (const task of coordination.taskNames) {
          const value = read(task);
          if (value !== null && value !== undefined) this.set({ task }, value);
        }
      },
    });
  const status = (task: string) => coordination.status(task);
  const last = (task: string) => coordination.rounds(task).at(-1);
  gauge('round', 'rounds made', (task) => status(task)?.round);
  gauge('paused', '1 while a task is paused', (task) => (status(task)?.run === 'paused' ? 1 : 0));
  gauge('stopped', '1 once a task is stopped for good', (task) => (status(task)?.run === 'stopped' ? 1 : 0));
  gauge('clients_connected', 'clients with an open socket', (task) => status(task)?.connected);
  gauge('clients_waiting', 'clients that wait for a round', (task) => status(task)?.waiting);
  gauge(
    'epsilon_coordinator',
    'ε spent against the coordinator',
    (task) => status(task)?.epsilon?.coordinator,
  );
  gauge('epsilon_readers', 'ε spent against readers of the models', (task) => status(task)?.epsilon?.readers);
  gauge('epsilon_budget', 'ε that may be spent', (task) => status(task)?.noise.epsilonBudget);
  gauge('hr10', 'HR@10 on held-out items, through the secure sum', (task) => last(task)?.metrics.hr10);
  gauge('ndcg10', 'NDCG@10 on held-out items, through the secure sum', (task) => last(task)?.metrics.ndcg10);
  gauge('last_round_ended_seconds', 'when the last round ended, in seconds since 1970', (task) => {
    const ended = last(task)?.endedAtMs;
    return ended === undefined ? undefined : ended / 1_000;
  });
}

function machineMetrics(registry: Registry, { traffic, connections, isReady }: MetricsOptions): void {
  const registers = [registry];
  void new Gauge({
    ...{ name: 'tutti_ready', help: '1 while rounds can begin here', registers },
    collect() {
      this.set(isReady() ? 1 : 0);
    },
  });
  void new Gauge({
    ...{ name: 'tutti_sockets', help: 'open sockets', registers },
    collect() {
      this.set(connections());
    },
  });
  const bytes = new Counter({
    ...{
      name: 'tutti_bytes_total',
      help: 'bytes of messages and models',
      registers,
      labelNames: ['direction'],
    },
    collect() {
      const { upBytes, downBytes } = traffic();
      this.reset();
      this.inc({ direction: 'up' }, upBytes);
      this.inc({ direction: 'down' }, downBytes);
    },
  });
  void bytes;
}
