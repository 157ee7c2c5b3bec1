import { PROTOCOL_VERSION } from '@tutti/protocol';
import type { Role } from '@tutti/server';
import { certificateProblem } from '../certificate.ts';

/** What a check of a deployment found, and what to do about it. Judging is separate from looking: these functions only judge. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed' | 'not-checked';
  readonly found: string;
  /** What to do; nothing where all is well. */
  readonly next?: string;
}

/** What was seen of a coordinator from outside. Fields that could not be looked at are missing. */
export interface Seen {
  readonly url: string;
  /** Why nothing answered, as the system’s code; missing where something did. */
  readonly unreachable?: string;
  readonly certificate?: { readonly validToMs: number; readonly problem?: string };
  readonly health?: { readonly status: number; readonly isCoordinator: boolean };
  readonly ready?: { readonly status: number; readonly state: string; readonly problem: string };
  /** What the coordinator’s clock says, less what ours says, in milliseconds, and how far that may be off. */
  readonly clock?: { readonly aheadMs: number; readonly withinMs: number };
  /** The status that an upgrade to a websocket was answered with; 101 where it was. */
  readonly upgrade?: number | string;
  /** Versions of the protocol that it greets with, or why it does not greet. */
  readonly greeting?: { readonly protocols: readonly number[] } | { readonly problem: string };
  readonly tasks?: readonly { readonly name: string; readonly identity: string; readonly phase: string }[];
}

const DAY_MS = 86_400_000;
const FEW_DAYS = 14;
const SKEW_WARNING_MS = 5_000;
const SKEW_FAILED_MS = 60_000;

const ok = (check: string, found: string): Finding => ({ check, state: 'ok', found });
const warning = (check: string, found: string, next: string): Finding => ({
  check,
  state: 'warning',
  found,
  next,
});
const failed = (check: string, found: string, next: string): Finding => ({
  check,
  state: 'failed',
  found,
  next,
});
const unlooked = (check: string): Finding => ({
  check,
  state: 'not-checked',
  found: 'what comes before it failed',
});

/** Judges what was seen from outside. @param nowMs this machine’s time. */
export function judgeSeen(seen: Seen, nowMs: number): Finding[] {
  return [
    reachable(seen),
    tls(seen, nowMs),
    coordinator(seen),
    ready(seen),
    clock(seen),
    websocket(seen),
    greeting(seen),
    ...(seen.tasks ?? []).map(task),
  ];
}

const UNREACHABLE: Readonly<Record<string, string>> = {
  ENOTFOUND: 'The name is not known: mend the address, or its DNS entry.',
  EAI_AGAIN: 'The name server does not answer: mend DNS on this machine.',
  ECONNREFUSED:
    'Nothing listens there: start the coordinator, or check listen.host, listen.port and the port that is published.',
  ETIMEDOUT: 'Packets are dropped: open the port in the firewall or security group.',
  ECONNRESET:
    'Something closes the connection: look at the proxy’s log, and whether it speaks TLS where you ask without (or the other way round).',
};

function reachable({ url, unreachable }: Seen): Finding {
  if (unreachable === undefined) return ok('reachable', `${url} answers`);
  const certificate = certificateProblem(unreachable);
  if (certificate !== undefined)
    return failed('reachable', `${url} answers: ${unreachable}`, `Its certificate ${certificate}.`);
  return failed(
    'reachable',
    `${url}: ${unreachable}`,
    UNREACHABLE[unreachable] ?? 'Check the address, the network and the proxy.',
  );
}

function tls({ url, certificate }: Seen, nowMs: number): Finding {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'http:')
    return /^(localhost|127\.|\[::1\])/.test(hostname)
      ? ok('tls', 'none, and none is needed on this machine')
      : warning(
          'tls',
          'none: who is on the way sees who takes part when, and can alter what is sent',
          'Set listen.tls, or put a proxy with TLS before it and ask by https.',
        );
  if (certificate === undefined) return unlooked('tls');
  if (certificate.problem !== undefined)
    return failed(
      'tls',
      certificate.problem,
      'Clients refuse this certificate: serve one for this name, with those between it and its root.',
    );
  const days = Math.floor((certificate.validToMs - nowMs) / DAY_MS);
  if (days < FEW_DAYS)
    return warning(
      'tls',
      `the certificate ends in ${days} days`,
      'Renew it, and send the coordinator SIGHUP.',
    );
  return ok('tls', `a certificate that holds for ${days} days more`);
}

/** What a cluster's Redis is like. @param problem why it cannot be reached; undefined where it can. */
export const judgeRedis = (problem: string | undefined): Finding =>
  problem === undefined
    ? ok('redis', 'Redis answers')
    : failed('redis', problem, 'Start it, or mend cluster.redis: no round begins without it.');

function coordinator({ health }: Seen): Finding {
  if (health === undefined) return unlooked('coordinator');
  if (health.isCoordinator) return ok('coordinator', '/healthz says ok');
  return failed(
    'coordinator',
    `/healthz answers with status ${health.status}, and not as a coordinator does`,
    'Something else is at this address: check the port, and the path that the proxy hands on.',
  );
}

function ready({ ready: seen }: Seen): Finding {
  if (seen === undefined) return unlooked('ready');
  if (seen.status === 200) return ok('ready', 'rounds can begin');
  const next =
    seen.state === 'failed'
      ? 'Mend what it names: it goes on by itself. Its log says more.'
      : 'Wait until it is up again; if it stays so, look at its log.';
  return failed('ready', `/readyz answers ${seen.status}, ${seen.state}: ${seen.problem}`, next);
}

function clock({ clock: seen }: Seen): Finding {
  if (seen === undefined) return unlooked('clock');
  const off = Math.max(0, Math.abs(seen.aheadMs) - seen.withinMs);
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const found = `the coordinator’s clock is ${seconds(Math.abs(seen.aheadMs))} ${seen.aheadMs < 0 ? 'behind' : 'ahead of'} this machine’s, give or take ${seconds(seen.withinMs)}`;
  const next = 'Let both machines follow a time server: enrolment tokens begin and end by the clock.';
  if (off > SKEW_FAILED_MS) return failed('clock', found, next);
  return off > SKEW_WARNING_MS ? warning('clock', found, next) : ok('clock', found);
}

function websocket({ upgrade }: Seen): Finding {
  if (upgrade === undefined) return unlooked('websocket');
  if (upgrade === 101) return ok('websocket', 'an upgrade to a websocket goes through');
  return failed(
    'websocket',
    `an upgrade to a websocket is answered with ${upgrade}`,
    'Let the proxy hand on Upgrade and Connection with HTTP/1.1 for /v1/socket/ (deploy/proxy shows how), and set its read timeout above 60 s.',
  );
}

function greeting({ greeting: seen }: Seen): Finding {
  if (seen === undefined) return unlooked('protocol');
  if ('problem' in seen)
    return failed(
      'protocol',
      seen.problem,
      'Look at the coordinator’s log: the socket opens and says nothing.',
    );
  const found = `it speaks protocol ${seen.protocols.join(', ')}; this version speaks ${PROTOCOL_VERSION}`;
  if (seen.protocols.includes(PROTOCOL_VERSION)) return ok('protocol', found);
  return failed('protocol', found, 'Bring the coordinator and its clients to versions that share one.');
}

function task({ name, identity, phase }: NonNullable<Seen['tasks']>[number]): Finding {
  const check = `task ${name}`;
  if (phase === 'budget-spent')
    return warning(
      check,
      'its privacy budget is spent: no further round is made',
      'See docs/choosing-epsilon.md.',
    );
  if (identity === 'open')
    return warning(
      check,
      'identity open: who runs the coordinator could invent clients around a person',
      'See docs/identity.md for enrolled and transparent identities.',
    );
  return ok(check, `identity ${identity}, now ${phase}`);
}

/** What was seen of the file of tokens. */
export interface TokensSeen {
  /** Undefined where the configuration names none. */
  readonly file: string | undefined;
  /** Why a coordinator cannot use it. */
  readonly problem?: string;
  /** What each of its tokens lets do. */
  readonly roles: readonly Role[];
}

/** Judges who may operate the coordinator. */
export function judgeTokens({ file, problem, roles }: TokensSeen): Finding {
  if (file === undefined)
    return ok('tokens', 'the configuration names no file of tokens: nobody may change what runs');
  if (problem !== undefined)
    return failed(
      'tokens',
      problem,
      'Let the user that runs the coordinator own it, and nobody else write to it; a file that is damaged is made anew by tutti token create.',
    );
  const operators = roles.filter((role) => role === 'operate').length;
  const found = `${file} holds ${roles.length} tokens, ${operators} of them to operate`;
  if (operators > 0) return ok('tokens', found);
  return warning('tokens', found, 'Nobody may change what runs: tutti token create --role operate.');
}

/** What was seen of where a coordinator keeps everything. */
export interface Machine {
  readonly kind: 'folder' | 'database';
  /** The folder, or the database. */
  readonly place: string;
  /** Room on the disk; missing for a database elsewhere. */
  readonly freeBytes?: number;
  /** Why the folder cannot be written to. */
  readonly unwritable?: string;
  /** What it holds, as far as this version could read it. */
  readonly journals?: readonly { readonly task: string; readonly entries: number }[];
  readonly storeProblem?: string;
}

const LEAST_FREE_BYTES = 100 * 2 ** 20;
const ENOUGH_FREE_BYTES = 2 ** 30;

/** Judges the machine. */
export function judgeMachine(machine: Machine): Finding[] {
  return [...disk(machine), store(machine)];
}

function disk({ place, freeBytes, unwritable }: Machine): Finding[] {
  if (unwritable !== undefined)
    return [
      failed(
        'disk',
        `${place} cannot be written to: ${unwritable}`,
        'Give the folder to the user that runs the coordinator.',
      ),
    ];
  if (freeBytes === undefined) return [];
  const found = `${(freeBytes / 2 ** 30).toFixed(1)} GiB are free where ${place} is`;
  const next = 'Make room: a journal that cannot be written stops every task.';
  if (freeBytes < LEAST_FREE_BYTES) return [failed('disk', found, next)];
  return [freeBytes < ENOUGH_FREE_BYTES ? warning('disk', found, next) : ok('disk', found)];
}

function store({ kind, place, journals = [], storeProblem, unwritable }: Machine): Finding {
  if (unwritable !== undefined) return unlooked('store');
  if (storeProblem !== undefined)
    return failed(
      'store',
      storeProblem,
      `If a newer version wrote it, use that one; if it is damaged, restore a backup${kind === 'database' ? '; see that the database runs' : ''}.`,
    );
  const held = journals.map(({ task: name, entries }) => `${name}: ${entries} entries`);
  return ok(
    'store',
    held.length === 0 ? `nothing is in ${place} yet` : `this version reads ${place} (${held.join('; ')})`,
  );
}
