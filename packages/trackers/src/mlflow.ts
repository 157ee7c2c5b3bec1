import * as z from 'zod';
import { TrackerError } from './errors.ts';
import type { Ending, Point, RunName, Tracker } from './tracker.ts';

/** What a server of MLflow is reached with. */
export interface MlflowOptions {
  /** Such as `http://localhost:5000`. */
  readonly url: string;
  readonly experiment: string;
  readonly run: RunName;
  /** Value of the `Authorization` header, where the server asks for one. */
  readonly authorization?: string;
  /** How long a request may take; default 10 seconds. */
  readonly timeoutMs?: number;
  readonly nowMs?: () => number;
}

/** Most metrics, and most settings, that the server takes at once. */
const MOST_METRICS = 1_000;
const MOST_PARAMS = 100;

/** Longest setting. */
const LONGEST_PARAM = 500;

/** How the run of an earlier process is found again. */
const ID_TAG = 'tutti.run';

const TIMEOUT_MS = 10_000;

/** Longest answer that is read. */
const LARGEST_ANSWER_BYTES = 2 ** 22;

const experimentSchema = z.object({ experiment_id: z.string() });
const foundExperiment = z.object({ experiment: experimentSchema });
const runSchema = z.object({
  info: z.object({ run_id: z.string() }),
  data: z
    .object({ metrics: z.array(z.object({ step: z.coerce.number().catch(-1) })).default([]) })
    .prefault({}),
});
const foundRuns = z.object({ runs: z.array(runSchema).default([]) });
const madeRun = z.object({ run: runSchema });
const refusalSchema = z.object({ error_code: z.string(), message: z.string().default('') });

/**
 * A run on a server of MLflow, through its REST interface. One of the same `run.id` in the experiment is gone on with.
 * @throws {TrackerError} if the server cannot be reached, or refuses.
 */
export async function mlflowTracker(options: MlflowOptions): Promise<Tracker> {
  const { run, nowMs = Date.now } = options;
  const { name, call } = connectionTo(options);
  const experimentId = await experimentOf(options.experiment, call);
  const { runs } = await call('runs/search', foundRuns, {
    experiment_ids: [experimentId],
    filter: `tags.\`${ID_TAG}\` = '${run.id.replaceAll("'", '')}'`,
    max_results: 1,
  });
  const {
    info: { run_id: runId },
    data: { metrics },
  } = runs[0] ?? (await begin());
  async function begin(): Promise<z.output<typeof runSchema>> {
    const made = await call('runs/create', madeRun, {
      experiment_id: experimentId,
      run_name: run.name,
      start_time: nowMs(),
      tags: [{ key: ID_TAG, value: run.id.replaceAll("'", '') }],
    });
    const params = Object.entries(run.settings ?? {})
      .slice(0, MOST_PARAMS)
      .map(([key, value]) => ({ key, value: value.slice(0, LONGEST_PARAM) }));
    await call('runs/log-batch', z.unknown(), { run_id: made.run.info.run_id, params });
    return made.run;
  }
  if (runs.length > 0) await call('runs/update', z.unknown(), { run_id: runId, status: 'RUNNING' });
  return {
    name,
    lastStep: metrics.reduce((last, { step }) => Math.max(last, step), -1),
    async write(points) {
      for (const part of partsOf(points))
        await call('runs/log-batch', z.unknown(), { run_id: runId, metrics: part });
    },
    async close(ending) {
      const update = { run_id: runId, status: STATUSES[ending], end_time: nowMs() };
      await call('runs/update', z.unknown(), update);
    },
  };
}

const STATUSES: Readonly<Record<Ending, string>> = {
  finished: 'FINISHED',
  failed: 'FAILED',
  stopped: 'KILLED',
};

type Call = <T extends z.ZodType>(path: string, answer: T, body: object) => Promise<z.output<T>>;

/** The experiment of this name, made where there is none. */
async function experimentOf(name: string, call: Call): Promise<string> {
  try {
    return (await call('experiments/create', experimentSchema, { name })).experiment_id;
  } catch (error) {
    if (!(error instanceof Refused) || error.reason !== 'RESOURCE_ALREADY_EXISTS') throw error;
    const query = `experiments/get-by-name?${new URLSearchParams({ experiment_name: name }).toString()}`;
    return (await call(query, foundExperiment, {})).experiment.experiment_id;
  }
}

interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

/** Metrics, as many as the server takes at once; those of one point together. */
function partsOf(points: readonly Point[]): Metric[][] {
  const parts: Metric[][] = [];
  for (const { step, atMs, scalars } of points) {
    const metrics = Object.entries(scalars).map(([key, value]) => ({ key, value, timestamp: atMs, step }));
    const last = parts.at(-1);
    if (last !== undefined && last.length + metrics.length <= MOST_METRICS) last.push(...metrics);
    else parts.push(metrics);
  }
  return parts;
}

/** The server understood, and said no. */
class Refused extends TrackerError {
  constructor(
    tracker: string,
    readonly status: number,
    readonly reason: string,
    message: string,
  ) {
    super(tracker, `the server answered ${status}${message === '' ? '' : `: ${message.slice(0, 300)}`}`);
  }
}

function connectionTo({ url, authorization, timeoutMs = TIMEOUT_MS }: MlflowOptions): {
  readonly name: string;
  readonly call: Call;
} {
  const { origin, pathname } = new URL(url);
  const name = `mlflow:${origin}`;
  const headers = {
    'content-type': 'application/json',
    ...(authorization === undefined ? {} : { authorization }),
  };
  async function call<T extends z.ZodType>(path: string, answer: T, body: object): Promise<z.output<T>> {
    const isQuery = path.includes('?');
    const response = await fetch(`${origin}${pathname.replace(/\/$/, '')}/api/2.0/mlflow/${path}`, {
      method: isQuery ? 'GET' : 'POST',
      headers,
      ...(isQuery ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((cause: unknown) => {
      throw new TrackerError(name, `cannot be reached within ${timeoutMs} ms`, { cause });
    });
    const said = await answerOf(response, name);
    if (!response.ok) {
      const refusal = refusalSchema.safeParse(said).data;
      throw new Refused(name, response.status, refusal?.error_code ?? '', refusal?.message ?? '');
    }
    const result = answer.safeParse(said);
    if (result.success) return result.data;
    throw new TrackerError(name, `${path.split('?')[0] ?? ''} was not answered as MLflow does`);
  }
  return { name, call };
}

async function answerOf(response: Response, name: string): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > LARGEST_ANSWER_BYTES)
        throw new TrackerError(name, `answered more than ${LARGEST_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error instanceof TrackerError
      ? error
      : new TrackerError(name, 'broke off its answer', { cause: error });
  }
}
