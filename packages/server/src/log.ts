import { FederatedError } from '@tutti/base';
import { ATTEMPT_END_REASONS, RUN_STATES } from '@tutti/coordination';
import { IDENTITY_LEVELS } from '@tutti/identity';
import { CHANNELS, DECLINE_REASONS } from '@tutti/protocol';
import pino, { type DestinationStream } from 'pino';

/**
 * The log of a coordinator: JSON lines that machines read. What may stand in a line is a list of events, each with its fields, each
 * field with the form its value must have; whatever else an object holds is not written. So no key, no weight, no interaction, and no
 * vector, text or identity of anybody can appear by accident.
 */

const FRAME = /^at [\w$.<>[\] ]*\(?(?:node:|file:|\/|[A-Z]:)[^|]*:\d+:\d+\)?$/;
const BETWEEN_FRAMES = ' | ';
const MOST_FRAMES = 8;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isDeclineReason = (value: string): boolean => DECLINE_REASONS.some((reason) => reason === value);
const text = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value);

/** The forms that a field can have beside closed lists of words. Nothing that a key, a weight or an interaction fits into. */
const FORMS = {
  /** A name that an operator gave to a task. */
  name: text(/^[a-z0-9][a-z0-9-]{0,62}$/),
  /** How many of something. */
  count: isCount,
  /** Devices that declined, by reason. */
  declines: (value: unknown) =>
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length > 0 &&
    Object.entries(value).every(([reason, number]) => isDeclineReason(reason) && isCount(number)),
  /** A public figure about many people: ε, a duration. */
  figure: (value: unknown) => typeof value === 'number' && Number.isFinite(value),
  /** A content address of a model, which is public. */
  hash: text(/^[0-9a-f]{64}$/),
  /** The pattern of a route, never an address that was asked for. */
  route: text(/^\/[a-z0-9/:.*-]{0,80}$/),
  /** An http or https address without a password, a path or a query. */
  origin: text(/^https?:\/\/[\w.:[\]-]{1,120}$/),
  /** The network address of whoever is refused. */
  address: text(/^[0-9a-f.:]{2,45}$/i),
  /** An error’s class, and its code: ours (`storage/locked`) or the system’s (`ENOSPC`). */
  class: text(/^[A-Z][A-Za-z]{0,39}$/),
  code: text(/^(?:[a-z-]{1,30}\/[a-z-]{1,40}|(?:ERR_|E)[A-Z_]{2,40})$/),
  /** Where in our code something happened. */
  frames: (value: unknown) =>
    typeof value === 'string' && value.split(BETWEEN_FRAMES).every((frame) => FRAME.test(frame)),
} as const;

type Form = keyof typeof FORMS | readonly string[];
/** How much a line matters. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
type Valued<F> = F extends 'count' | 'figure'
  ? number
  : F extends 'declines'
    ? Readonly<Record<string, number>>
    : F extends readonly (infer Word)[]
      ? Word
      : string;

const event = <const Fields extends Readonly<Record<string, Form>>>(level: LogLevel, fields: Fields) => ({
  level,
  fields,
});

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'] as const;
const PHASES = [
  ...['select', 'train', 'reveal-nonces', 'share-keys', 'masked-input', 'survivors', 'unmask', 'sum'],
  ...['failed', 'finished', 'budget-spent', 'paused', 'stopped'],
] as const;
const ENDINGS = ['rounds-done', 'privacy-budget-spent', 'stopped'] as const;
/** Parts of a coordinator in which something can fail. */
export const PARTS = [
  ...(['task', 'owner', 'journal', 'environment', 'authority', 'certificate', 'http'] as const),
  ...(['tokens', 'trackers'] as const),
] as const;
/** Limits that something can be over. */
export const LIMITS = [
  ...(['connections', 'connections-per-address', 'handshakes', 'requests', 'event-streams'] as const),
  ...(['messages', 'requests-of-token', 'half-open-uploads'] as const),
  ...(['greeting-deadline', 'request-deadline'] as const),
] as const;
/** Name of a limit. */
export type Limit = (typeof LIMITS)[number];

/** How a candidate can be judged for good. */
export const VERDICTS = ['promote', 'rollback', 'undecided'] as const;

/** Every event that can be logged. */
const EVENTS = {
  listening: event('info', { url: 'origin', tasks: 'count' }),
  opened: event('info', { task: 'name', round: 'count', items: 'count', identity: IDENTITY_LEVELS }),
  'round-committed': event('info', {
    ...({ task: 'name', round: 'count', attempt: 'count', cohort: 'count', reported: 'count' } as const),
    ...({ groups: 'count', durationMs: 'figure', upBytes: 'count', downBytes: 'count' } as const),
    ...({ model: 'hash', epsilon: 'figure' } as const),
  }),
  'attempt-aborted': event('warn', {
    ...({ task: 'name', round: 'count', attempt: 'count', reason: ATTEMPT_END_REASONS } as const),
    ...({ selected: 'count', ready: 'count', reported: 'count', durationMs: 'figure' } as const),
    ...({ declined: 'declines', againAfterMs: 'count' } as const),
  }),
  evaluated: event('info', { task: 'name', round: 'count', reported: 'count' }),
  'run-changed': event('info', { task: 'name', run: RUN_STATES, by: 'name' }),
  'model-promoted': event('info', {
    ...({
      task: 'name',
      channel: CHANNELS,
      step: ['promote', 'rollback'],
      by: 'name',
      model: 'hash',
    } as const),
  }),
  compared: event('info', { task: 'name', round: 'count', reported: 'count', people: 'figure' }),
  'model-judged': event('info', {
    ...({ task: 'name', verdict: VERDICTS, difference: 'figure', low: 'figure', high: 'figure' } as const),
    ...({ people: 'figure', manifest: 'hash' } as const),
  }),
  'task-taken': event('info', { task: 'name' }),
  'task-released': event('info', { task: 'name' }),
  'task-created': event('info', { task: 'name', by: 'name' }),
  finished: event('info', { task: 'name', reason: ENDINGS }),
  phase: event('debug', { task: 'name', attempt: 'count', phase: PHASES, done: 'count', total: 'count' }),
  request: event('debug', { method: METHODS, route: 'route', status: 'count', durationMs: 'figure' }),
  refused: event('warn', { limit: LIMITS, address: 'address', count: 'count' }),
  draining: event('info', { deadlineMs: 'count' }),
  stopped: event('info', {}),
  'certificate-read': event('info', { validDays: 'figure' }),
  failed: event('error', { task: 'name', part: PARTS, class: 'class', code: 'code', frames: 'frames' }),
} as const;

/** Name of an event. */
export type LogEvent = keyof typeof EVENTS;
/** What an event says; what does not apply is left out. */
export type LogFields<E extends LogEvent> = {
  readonly [Field in keyof (typeof EVENTS)[E]['fields']]?:
    Valued<(typeof EVENTS)[E]['fields'][Field]> | undefined;
};

/** Takes events. */
export interface Log {
  write<E extends LogEvent>(event: E, fields: LogFields<E>): void;
}

/** Says nothing. */
export const SILENT: Log = { write: () => undefined };

/** What a log is made of. */
export interface LogOptions {
  readonly level?: LogLevel;
  /** Where lines go; stderr by default. */
  readonly destination?: DestinationStream;
}

/** JSON lines, through pino: `{"level":"info","time":…,"event":"round-committed","task":"films",…}`. */
export function jsonLog({ level = 'info', destination = pino.destination(2) }: LogOptions = {}): Log {
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    write(name, fields) {
      const line = lineOf(name, fields);
      if (line === undefined) return;
      const { level: its, ...said } = line;
      logger[its](said);
    },
  };
}

/** What of an event may be told; undefined for an event that is not on the list. */
export function lineOf<E extends LogEvent>(
  name: E,
  fields: LogFields<E>,
): { readonly level: LogLevel; readonly event: E } | undefined {
  const kind = EVENTS[name];
  return kind && { level: kind.level, event: name, ...allowed(kind.fields, fields) };
}

/** The fields that are on the list, and have their form. */
function allowed(forms: Readonly<Record<string, Form>>, fields: Readonly<Record<string, unknown>>): object {
  const kept = Object.entries(forms).filter(([name, form]) => {
    const value = fields[name];
    return typeof form === 'string' ? FORMS[form](value) : form.some((word) => word === value);
  });
  return Object.fromEntries(kept.map(([name]) => [name, fields[name]]));
}

/** What of an error may be told: its class, its code, and where it was thrown. Never its message, which may quote anything. */
export function errorFields(error: unknown): { class: string; code?: string; frames?: string } {
  if (!(error instanceof Error)) return { class: typeof error };
  const code = error instanceof FederatedError ? error.code : (error as NodeJS.ErrnoException).code;
  const frames = framesOf(error);
  return {
    class: error.name,
    ...(code === undefined ? {} : { code }),
    ...(frames === '' ? {} : { frames }),
  };
}

/** Lines of a stack that say where, without the message above them. */
const framesOf = ({ stack = '', message }: Error): string =>
  (stack.includes(message) ? stack.slice(stack.indexOf(message) + message.length) : stack)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => FRAME.test(line))
    .slice(0, MOST_FRAMES)
    .join(BETWEEN_FRAMES);
