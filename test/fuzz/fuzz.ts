import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom, type SeededRandom } from '@tutti/base';
import { createToken } from '@tutti/server';
import { openStranger, type Stranger } from './stranger.ts';
import { requestsOf, type Asked, type Description } from './requests.ts';

/** What became of a coordinator that was sent anything. */
export interface FuzzResult {
  /** Messages and requests that were sent. */
  readonly messages: number;
  /** Whether its process ended, or it greeted nobody any more. */
  readonly crashes: number;
  /** Answers with a status from 500 on. */
  readonly serverErrors: number;
  /** Its resident memory once everything had been tried a little, and at the end. */
  readonly rssStartMB: number;
  readonly rssEndMB: number;
  readonly seconds: number;
  /** Answers by status, so that one sees what was reached; requests that were cut off are `0`. */
  readonly statuses: Readonly<Record<number, number>>;
  /** What was asked where the answer was a server error: the first few. */
  readonly failures: readonly string[];
}

/** Share of the messages before memory is looked at for the first time. */
const WARM_UP = 0.1;
/** Memory may differ by so much: what collectors leave, and the journal of the rounds that were tried. */
const MOST_GROWTH_MB = 64;
/** One in so many is a request over HTTP. */
const REQUEST_EVERY = 4;
const STRANGERS = 8;
const FAILURES_KEPT = 10;
const ANSWER_MS = 10_000;

/** Whether it held. */
export const held = ({ crashes, serverErrors, rssStartMB, rssEndMB }: FuzzResult): boolean =>
  crashes === 0 && serverErrors === 0 && rssEndMB - rssStartMB <= MOST_GROWTH_MB;

/** Sends `messages` seeded messages and requests at a coordinator in a process of its own. */
export async function runFuzz(options: {
  readonly messages: number;
  readonly seed: number;
  readonly onProgress?: (sent: number) => void;
}): Promise<FuzzResult> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-fuzz-'));
  const tokens = join(folder, 'tokens.json');
  const known = (['read', 'operate'] as const).map((role) => createToken(tokens, { name: role, role }));
  const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), [tokens], {
    execArgv: [...process.execArgv.filter((option) => !option.includes('inspect')), ...CHILD_OPTIONS],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    const { url } = (await told(child)) as { url: string };
    return await send(child, { ...options, url, tokens: known });
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

const CHILD_OPTIONS = [
  ...['--import', new URL('../../packages/base/source.js', import.meta.url).href],
  '--expose-gc',
];

/** The next thing that a child says. */
const told = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code, signal) => reject(new Error(`the coordinator ended: ${signal ?? code}`)));
  });

async function rssOf(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null || child.signalCode !== null) return 0;
  const answer = told(child);
  child.send('memory');
  return ((await answer) as { rssMB: number }).rssMB;
}

async function send(
  child: ChildProcess,
  options: Parameters<typeof runFuzz>[0] & { readonly url: string; readonly tokens: readonly string[] },
): Promise<FuzzResult> {
  const { messages, seed, url } = options;
  const began = performance.now();
  const description = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as Description;
  const requests = openRequests(url, requestsOf(description, options.tokens));
  const strangers = Array.from({ length: STRANGERS }, (_, i) => openStranger(url, i % 2 === 0));
  const ended = { is: false };
  child.once('exit', () => (ended.is = true));
  const batches = strangers.map((stranger, i) => {
    const random = seededRandom(`fuzz-${seed}`).fork('stranger', i);
    return (count: number) => sendSome(stranger, requests, { random, count, ended });
  });
  const sendAll = async (count: number): Promise<number> => {
    const share = Math.ceil(count / STRANGERS);
    return (await Promise.all(batches.map((batch) => batch(share)))).reduce((sum, sent) => sum + sent, 0);
  };
  let sent = await sendAll(messages * WARM_UP);
  const rssStartMB = await rssOf(child);
  const step = Math.max(STRANGERS, Math.min(20_000, messages - sent));
  while (sent < messages && !ended.is) {
    sent += await sendAll(Math.min(step, messages - sent));
    options.onProgress?.(sent);
  }
  for (const stranger of strangers) stranger.close();
  const greets = !ended.is && (await stillGreets(url));
  const rssEndMB = await rssOf(child);
  requests.close();
  const statuses = Object.fromEntries(requests.statuses);
  return {
    ...{ messages: sent, crashes: greets ? 0 : 1, rssStartMB, rssEndMB, statuses },
    serverErrors: [...requests.statuses].reduce((sum, [status, n]) => sum + (status >= 500 ? n : 0), 0),
    seconds: (performance.now() - began) / 1_000,
    failures: requests.failures,
  };
}

/** Sends `count` things, one after the other. @returns how many were sent. */
async function sendSome(
  stranger: Stranger,
  requests: Requests,
  { random, count, ended }: { random: SeededRandom; count: number; ended: { readonly is: boolean } },
): Promise<number> {
  let sent = 0;
  for (; sent < count && !ended.is; sent++)
    if (random.int(REQUEST_EVERY) === 0) await requests.ask(random);
    else await stranger.say(random);
  return sent;
}

/** Whether somebody who does everything right is greeted. */
async function stillGreets(url: string): Promise<boolean> {
  const friend = openStranger(url, true);
  const greeted = await friend.greeted(ANSWER_MS);
  friend.close();
  return greeted && (await fetch(`${url}/healthz`)).status === 200;
}

interface Requests {
  readonly statuses: ReadonlyMap<number, number>;
  readonly failures: readonly string[];
  ask(random: SeededRandom): Promise<void>;
  close(): void;
}

function openRequests(url: string, next: (random: SeededRandom) => Asked): Requests {
  const agent = new Agent({ keepAlive: true, maxSockets: STRANGERS });
  const statuses = new Map<number, number>();
  const failures: string[] = [];
  return {
    statuses,
    failures,
    async ask(random) {
      const asked = next(random);
      const status = await statusOf(url, asked, agent);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status >= 500 && failures.length < FAILURES_KEPT)
        failures.push(
          `${status} ${asked.method} ${asked.path.slice(0, 200)} ${String(asked.body).slice(0, 500)}`,
        );
    },
    close: () => agent.destroy(),
  };
}

/** The status of an answer, which is read to its end, unless it is a stream that has none; 0 where there was no answer. */
const statusOf = (url: string, { method, path, headers, body }: Asked, agent: Agent): Promise<number> =>
  new Promise((resolve) => {
    const asking = request(url + path, { method, headers, agent, timeout: ANSWER_MS }, (answer) => {
      const status = answer.statusCode ?? 0;
      if (answer.headers['content-type'] === 'text/event-stream') asking.destroy();
      answer.resume();
      answer.on('close', () => resolve(status));
    });
    asking.on('error', () => resolve(0));
    asking.on('timeout', () => asking.destroy());
    asking.end(body);
  });
