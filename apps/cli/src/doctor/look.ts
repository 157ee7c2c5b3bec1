import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as tlsConnect } from 'node:tls';
import { socketTransport } from '@tutti/client-node';
import type { CoordinatorMessage } from '@tutti/protocol';
import { codeOf } from '../certificate.ts';
import type { Seen } from './findings.ts';

/** How long each look may take, in milliseconds. */
const LOOK_MS = 8_000;
/** A Date header has whole seconds. */
const DATE_MS = 1_000;

/** Looks at a coordinator from outside, as clients see it. Whatever fails is part of what is seen. */
export async function lookAt(url: string): Promise<Seen> {
  const certificate = url.startsWith('https:') ? await certificateAt(url) : undefined;
  const seen: Seen = { url, ...(certificate === undefined ? {} : { certificate }) };
  const before = Date.now();
  const health = await json(`${url}/healthz`);
  if ('problem' in health) return { ...seen, unreachable: health.problem };
  const isCoordinator = fieldOf(health.body, 'status') === 'ok';
  const found = {
    ...seen,
    health: { status: health.status, isCoordinator },
    ...clockOf(health.date, before),
  };
  if (!isCoordinator) return found;
  const [ready, status, upgrade] = await Promise.all([
    json(`${url}/readyz`),
    json(`${url}/v1/status`),
    upgradeAt(url),
  ]);
  return {
    ...found,
    upgrade,
    ...('problem' in ready ? {} : { ready: readyOf(ready) }),
    ...('problem' in status ? {} : { tasks: tasksOf(status.body) }),
    ...(upgrade === 101 ? { greeting: await greetingAt(url) } : {}),
  };
}

interface Answer {
  readonly status: number;
  readonly date: string | null;
  readonly body: unknown;
}

async function json(url: string): Promise<Answer | { readonly problem: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LOOK_MS), redirect: 'manual' });
    const body: unknown = await response.json().catch(() => undefined);
    return { status: response.status, date: response.headers.get('date'), body };
  } catch (error) {
    return { problem: codeOf(error) };
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 200) : '');

function clockOf(date: string | null, before: number): Pick<Seen, 'clock'> {
  const told = date === null ? Number.NaN : Date.parse(date);
  if (!Number.isFinite(told)) return {};
  const now = Date.now();
  const tookMs = now - before;
  return { clock: { aheadMs: told + DATE_MS / 2 - (before + tookMs / 2), withinMs: (DATE_MS + tookMs) / 2 } };
}

const readyOf = ({ status, body }: Answer): NonNullable<Seen['ready']> => ({
  status,
  state: textOf(fieldOf(body, 'status')),
  problem: textOf(fieldOf(body, 'problem')),
});

function tasksOf(body: unknown): NonNullable<Seen['tasks']> {
  const tasks = fieldOf(body, 'tasks');
  return (Array.isArray(tasks) ? tasks : []).map((task: unknown) => ({
    name: textOf(fieldOf(task, 'task')),
    identity: textOf(fieldOf(task, 'identity')),
    phase: textOf(fieldOf(task, 'phase')),
  }));
}

/** The certificate as a client judges it. */
function certificateAt(url: string): Promise<Seen['certificate']> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const options = { host, port: Number(port || 443), rejectUnauthorized: false, timeout: LOOK_MS };
    const named = /^[\d.:[\]]+$/.test(hostname) ? {} : { servername: hostname };
    const socket = tlsConnect({ ...options, ...named }, () => {
      const validToMs = Date.parse(socket.getPeerCertificate().valid_to);
      const problem = socket.authorized ? {} : { problem: `${String(socket.authorizationError)}` };
      resolve({ validToMs, ...problem });
      socket.destroy();
    });
    socket.on('error', () => resolve(undefined));
    socket.on('timeout', () => socket.destroy(new Error('timeout')));
  });
}

/** The status that an upgrade is answered with, or why it is not. */
function upgradeAt(url: string): Promise<number | string> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const headers = {
      ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
      ...{ 'sec-websocket-key': Buffer.alloc(16, 1).toString('base64') },
    };
    const asked = send(`${url}/v1/socket/?EIO=4&transport=websocket`, { headers, timeout: LOOK_MS });
    asked.on('upgrade', (response: IncomingMessage, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    asked.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', (error) => resolve(codeOf(error)));
    asked.end();
  });
}

/** What it says first on a real socket. */
async function greetingAt(url: string): Promise<NonNullable<Seen['greeting']>> {
  const signal = AbortSignal.timeout(LOOK_MS);
  let hear: (message: CoordinatorMessage) => void = () => undefined;
  const heard = new Promise<CoordinatorMessage | undefined>((resolve) => {
    hear = resolve;
    signal.addEventListener('abort', () => resolve(undefined));
  });
  try {
    const connection = await socketTransport(url).connect(
      { onMessage: hear, onClose: () => undefined },
      signal,
    );
    const message = await heard;
    connection.close();
    return message?.type === 'challenge'
      ? { protocols: message.protocols }
      : { problem: 'the socket opens, and no greeting comes' };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
