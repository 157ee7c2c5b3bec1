import { InternalError, systemRandom, toHex } from '@tutti/base';
import { blobHash } from '@tutti/coordination';
import type { PersonRanking } from '@tutti/evaluation';
import { encodeCheckpoint, type SharedLayout } from '@tutti/model';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { EvaluationTask, MeasureAll } from '../evaluation/measure-people.ts';
import type { Population } from '../population.ts';
import type { EvaluationSetup } from '../thread.ts';
import { HostsFailedError, OtherRuntimeError } from './errors.ts';
import * as words from './evaluation-words.ts';
import { EVALUATION_JOBS, KINDS, NOTHING, PIECE_BYTES, runtimeOf } from './hosts.ts';
import type { Jobs, Packet, SimulationHosts } from './hosts.ts';
import { MetHosts } from './met-hosts.ts';
import { populationParts } from './population-parts.ts';
import { ANSWERS } from './words.ts';

/** Shards for each thread: one that is slow keeps the others waiting for little. */
const SHARDS_A_THREAD = 4;
/** People of a shard at most. */
const MOST_PEOPLE = 1_024;
/** Between two looks; each adds again what was not done, in case that Redis lost it, in milliseconds. */
const LOOK_MS = 1_000;
/** While nobody comes to the end of a shard for so long, hosts count as failed, in milliseconds. */
const ANSWER_MS = 600_000;
/** A shard is handed out so often at most: it may be what its hosts fail of. */
const MOST_MOVES = 16;

/** What is evaluated over hosts. */
export interface RemoteEvaluationOptions {
  readonly setup: EvaluationSetup;
  readonly population: Population;
  readonly layout: SharedLayout;
  /** The engine of this process: that of a host must be the same. */
  readonly backend: string;
}

/** Some people who are to be ranked for. */
interface Shard extends Pick<EvaluationTask, 'measure'> {
  readonly job: words.JobData;
  readonly people: readonly number[];
  /** Which part of the population's data is theirs. */
  readonly part: number;
  handedOut: number;
  /** That data, while a host has the shard. */
  parts?: readonly Uint8Array[];
  readonly settle: (outcome: readonly PersonRanking[] | Error) => void;
}

/**
 * Ranks for people on the hosts that there are. Each shard of them is a job, which whoever is free takes: it holds ids, and what it is about
 * a host asks of this process. What a host that is lost had in work another one does; what is done twice counts once.
 *
 * @throws {NoHostsError} where nobody is there in time, {OtherRuntimeError} where figures would differ.
 */
export async function openRemoteEvaluation(
  hosts: SimulationHosts,
  options: RemoteEvaluationOptions,
): Promise<{ measure: MeasureAll; close(): Promise<void> }> {
  const evaluation = new RemoteEvaluation(hosts, options);
  await evaluation.open().catch(async (error: unknown) => {
    await evaluation.close();
    throw error;
  });
  return evaluation;
}

class RemoteEvaluation {
  readonly #run = toHex(systemRandom().bytes(16));
  readonly #jobs: Jobs;
  readonly #met: MetHosts;
  readonly #shards = new Map<number, Shard>();
  readonly #checkpoints = new Map<string, Uint8Array>();
  readonly #watch = setInterval(() => this.#look(), LOOK_MS);
  /** When a shard was done last, or the first was added. */
  #doneAt = 0;
  /** When there was a host last. */
  #hostAt = performance.now();
  #next = 0;
  #parts = 1;

  constructor(
    private readonly hosts: SimulationHosts,
    private readonly options: RemoteEvaluationOptions,
  ) {
    const { peers } = hosts;
    this.#jobs = peers.jobs(EVALUATION_JOBS);
    this.#met = new MetHosts(hosts, `${options.population.users} people to rank for`);
    peers.on(KINDS.people, (_from, packet) => this.#people(packet));
    peers.on(KINDS.peoplePart, (_from, packet) => this.#part(packet));
    peers.on(KINDS.checkpoint, (_from, packet) => this.#checkpoint(packet));
    peers.on(KINDS.ranked, (_from, packet) => this.#ranked(packet));
  }

  async open(): Promise<void> {
    const met = await this.#met.gather();
    const { users } = this.options.population;
    const wanted = Math.max(SHARDS_A_THREAD * this.#met.threads, Math.ceil(users / MOST_PEOPLE));
    this.#parts = Math.max(1, Math.min(users, wanted));
    this.hosts.onHost?.(
      `people are ranked for in ${this.#met.threads} threads of ${met.length} workers, in shards of ${Math.ceil(users / this.#parts)} at most`,
    );
  }

  readonly measure: MeasureAll = async (shared, { measure, users }, onDone) => {
    const checkpoint = encodeCheckpoint({ layout: this.options.layout, shared, metadata: {} });
    const hash = blobHash(checkpoint, nodeCrypto);
    this.#checkpoints.set(hash, checkpoint);
    this.#doneAt = performance.now();
    let done = 0;
    const shards: Shard[] = [];
    const rankings = Array.from({ length: this.#parts }, async (_, part) => {
      const people = users.filter((user) => user % this.#parts === part);
      if (people.length === 0) return [];
      const ranked = await new Promise<readonly PersonRanking[]>((resolve, reject) => {
        const settle: Shard['settle'] = (outcome) =>
          outcome instanceof Error ? reject(outcome) : resolve(outcome);
        const job = { owner: this.hosts.peers.self, run: this.#run, shard: this.#next++, checkpoint: hash };
        shards.push({ job, measure, people, part, handedOut: 0, settle });
      });
      onDone((done += people.length));
      return ranked;
    });
    for (const shard of shards) this.#shards.set(shard.job.shard, shard);
    this.#add(shards);
    return (await Promise.all(rankings)).flat();
  };

  async close(): Promise<void> {
    this.#met.close();
    clearInterval(this.#watch);
    const left = [...this.#shards.values()];
    this.#fail(new Error('the evaluation is over'));
    await this.#jobs.remove(left.map(({ job }) => words.jobId(job)));
    await this.#jobs.close();
  }

  /** Adds jobs; the next look does so again where it cannot be done now. */
  #add(shards: readonly Shard[]): void {
    const jobs = shards.map(({ job }) => ({ id: words.jobId(job), data: job }));
    if (jobs.length > 0) this.#jobs.add(jobs).catch(() => undefined);
  }

  #look(): void {
    const now = performance.now();
    if (this.hosts.peers.hosts().length > 0) this.#hostAt = now;
    const away = this.#met.redisAway();
    if (away !== undefined) this.#fail(away);
    else if (now - this.#hostAt > this.#met.waitMs) this.#fail(this.#met.nobody());
    else if (this.#shards.size > 0 && now - this.#doneAt > ANSWER_MS)
      this.#fail(
        new HostsFailedError(0, `none came to its end in ${ANSWER_MS / 1_000} s`, 'shards of people'),
      );
    this.#add([...this.#shards.values()]);
  }

  /** The shard that a host means. @throws where it is done or given up: nobody wants it any more. */
  #shardOf({ run, shard }: { readonly run: string; readonly shard: number }): Shard {
    const known = run === this.#run ? this.#shards.get(shard) : undefined;
    if (known === undefined) throw new Error('the shard is done, or was given up');
    return known;
  }

  #people({ head }: Packet): Packet {
    const asked = words.peopleHead.parse(head);
    const shard = this.#shardOf(asked);
    const ours = runtimeOf(this.hosts.version);
    if (asked.runtime !== ours) throw this.#fail(new OtherRuntimeError(asked.runtime, ours));
    if (++shard.handedOut > MOST_MOVES)
      throw this.#fail(new HostsFailedError(MOST_MOVES, 'nobody said why', 'people to rank for'));
    const { population, setup } = this.options;
    const { names, parts } = populationParts(population, { shard: shard.part, shards: this.#parts });
    shard.parts = parts;
    const { measure, people } = shard;
    const lengths = names.map((name, at) => [name, parts[at]?.length ?? 0]);
    return { head: { setup, measure, people, users: population.users, parts: lengths }, parts: [] };
  }

  #part({ head }: Packet): Packet {
    const { part, from, ...asked } = words.partHead.parse(head);
    const bytes = this.#shardOf(asked).parts?.[part];
    if (bytes === undefined) throw new Error('the shard has no such part');
    return { head: null, parts: [bytes.subarray(from, from + PIECE_BYTES)] };
  }

  #checkpoint({ head }: Packet): Packet {
    const { run, hash, from } = words.checkpointHead.parse(head);
    const bytes = run === this.#run ? this.#checkpoints.get(hash) : undefined;
    if (bytes === undefined) throw new Error('the checkpoint is not evaluated any more');
    return { head: { bytes: bytes.length }, parts: [bytes.subarray(from, from + PIECE_BYTES)] };
  }

  /** What is done for the second time finds no shard, and is not counted. */
  #ranked({ head }: Packet): Packet {
    const { backend, rankings, problem, ...asked } = words.rankedHead.parse(head);
    const shard = this.#shardOf(asked);
    const ours = this.options.backend;
    if (problem !== undefined) throw this.#fail(new InternalError(problem));
    if (backend !== ours) throw this.#fail(new OtherRuntimeError(`the engine ${backend ?? 'none'}`, ours));
    const ranked = ANSWERS.rank.decode({ head: rankings, parts: [] });
    this.#doneAt = performance.now();
    this.#shards.delete(asked.shard);
    const { checkpoint } = shard.job;
    if (![...this.#shards.values()].some(({ job }) => job.checkpoint === checkpoint))
      this.#checkpoints.delete(checkpoint);
    shard.settle(ranked);
    return NOTHING;
  }

  /** Ends everything that is measured. @returns why. */
  #fail(error: Error): Error {
    const left = [...this.#shards.values()];
    this.#shards.clear();
    this.#checkpoints.clear();
    for (const { settle } of left) settle(error);
    return error;
  }
}
