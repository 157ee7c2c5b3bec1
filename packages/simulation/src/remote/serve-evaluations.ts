import { EnvironmentError } from '@tutti/base';
import { blobHash } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { EvaluationThreads } from './evaluation-threads.ts';
import * as words from './evaluation-words.ts';
import { EVALUATION_JOBS, inPieces, KINDS, problemOf, runtimeOf, saysNo } from './hosts.ts';
import type { Packet } from './hosts.ts';
import { populationOf } from './population-parts.ts';
import type { ServeOptions } from './serve-shards.ts';
import { ANSWERS } from './words.ts';

/** A thread that ranks for a shard of people for longer counts as one that failed, in milliseconds. */
const ANSWER_MS = 600_000;
/** Whoever did not answer is asked nothing for so long, in milliseconds: its jobs may be all that is left of it. */
const SILENT_MS = 10_000;
/** Checkpoints that are kept: those of shards in work, and the last ones. */
const MOST_CHECKPOINTS = 4;

/** Ranks for people of whoever has checkpoints evaluated, each shard of them in a thread of its own. */
export function serveEvaluations(options: ServeOptions): { close(): Promise<void> } {
  const { peers, version, threads, onShard } = options;
  const jobs = peers.jobs(EVALUATION_JOBS);
  const pool = new EvaluationThreads(threads);
  const silentSince = new Map<string, number>();
  const checkpoints = new Map<string, Promise<Uint8Array>>();

  async function ask(owner: string, kind: string, head: object): Promise<Packet> {
    try {
      return await peers.ask(owner, kind, { head, parts: [] });
    } catch (error) {
      if (!saysNo(error)) silentSince.set(owner, performance.now());
      throw error;
    }
  }

  async function fetchCheckpoint({ owner, run, checkpoint: hash }: words.JobData): Promise<Uint8Array> {
    const piece = (from: number): Promise<Packet> => ask(owner, KINDS.checkpoint, { run, hash, from });
    const first = await piece(0);
    const { bytes } = words.checkpointAnswer.parse(first.head);
    const whole = await inPieces(bytes, async (from) => (from === 0 ? first : piece(from)));
    if (blobHash(whole, nodeCrypto) !== hash) throw new Error(`checkpoint ${hash} came as another`);
    return whole;
  }

  function checkpointOf(job: words.JobData): Promise<Uint8Array> {
    const known = checkpoints.get(job.checkpoint);
    if (known !== undefined) return known;
    const [oldest] = checkpoints.size < MOST_CHECKPOINTS ? [] : checkpoints.keys();
    if (oldest !== undefined) checkpoints.delete(oldest);
    const fetched = fetchCheckpoint(job);
    checkpoints.set(job.checkpoint, fetched);
    fetched.catch(() => checkpoints.delete(job.checkpoint));
    return fetched;
  }

  /** Asks what the job is about, and ranks. @returns what is said of it. */
  async function evaluate(job: words.JobData): Promise<object> {
    const { owner, run, shard } = job;
    const asked = await ask(owner, KINDS.people, { run, shard, runtime: runtimeOf(version) });
    const { setup: given, measure, people, users, parts } = words.peopleAnswer.parse(asked.head);
    const fetched: Uint8Array[] = [];
    for (const [part, [, bytes]] of parts.entries())
      fetched.push(await inPieces(bytes, (from) => ask(owner, KINDS.peoplePart, { run, shard, part, from })));
    const checkpoint = await checkpointOf(job);
    const setup = words.decodeEvaluationSetup(given);
    const names = parts.map(([name]) => name);
    const population = populationOf({ users, items: setup.items }, { names, parts: fetched });
    const task = { population, users: people, measure, hash: job.checkpoint, checkpoint };
    try {
      const { backend, rankings } = await pool.evaluate(setup, { kind: 'evaluate', ...task }, ANSWER_MS);
      onShard?.(`${people.length} people ranked for with ${job.checkpoint.slice(0, 8)}`);
      return { backend, rankings: ANSWERS.rank.encode(rankings).head };
    } catch (error) {
      // A thread that ended says nothing of the people: another one may do them.
      if (error instanceof EnvironmentError) throw error;
      return { problem: problemOf(error) };
    }
  }

  /** What could not be begun or told is done again where it is still wanted: its owner adds it again. */
  async function doJob(data: unknown): Promise<void> {
    const job = words.jobData.parse(data);
    const { owner, run, shard } = job;
    if (performance.now() - (silentSince.get(owner) ?? -SILENT_MS) < SILENT_MS) return;
    const said = await evaluate(job);
    await ask(owner, KINDS.ranked, { run, shard, ...said });
  }

  jobs.work({ atOnce: threads, onJob: doJob });
  return {
    async close() {
      await pool.close();
      await jobs.close();
    },
  };
}
