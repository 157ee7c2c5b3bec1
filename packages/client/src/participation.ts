import { fromHex, messageOf, toHex } from '@tutti/base';
import {
  helloDigest,
  MAX_WAIT_MS,
  PROTOCOL_VERSION,
  type CoordinatorMessage,
  type Reply,
} from '@tutti/protocol';
import { openInbox, type Inbox } from './inbox.ts';
import type { ParticipationOptions } from './participation-options.ts';
import type { Connection, DeviceMessage } from './ports.ts';
import { askedMs, OtherModel, REPLY_TIMEOUT_MS, send } from './sending.ts';

/** Shortest pause that a coordinator can ask for, in milliseconds: one that asks for none gets no faster client. */
const LEAST_PAUSE_MS = 1_000;

/** A person's device taking part, until it is told to stop. */
export interface Participation {
  /**
   * Connects, checks in, answers; comes again when the connection breaks. Resolves when `signal` aborts, and after a round was
   * declined as being of another model (`wrong-model`): the task changed, and is to be learned anew.
   */
  run(options: { signal: AbortSignal }): Promise<void>;
}

/** The loop that carries a device's messages. Every wait has a deadline, and ends when the signal aborts. */
export function createParticipation(options: ParticipationOptions): Participation {
  return {
    async run({ signal }) {
      let failures = 0;
      try {
        while (!signal.aborted) {
          try {
            await untilEligible(options, signal);
            const pauseMs = await session(options, signal, () => (failures = 0));
            await options.clock.sleep(pauseMs, signal);
          } catch (error) {
            if (signal.aborted || error instanceof OtherModel) break;
            options.onEvent?.({
              type: 'disconnected',
              reason: messageOf(error),
            });
            const pauseMs = Math.max(backOffMs(options, failures++), askedPauseMs(error));
            await options.clock.sleep(pauseMs, signal).catch(() => undefined);
          }
        }
      } finally {
        options.device.leave();
      }
    },
  };
}

/** How long a coordinator that had no room asks to stay away: socket.io hands it on with the error. 0 where it does not say. */
function askedPauseMs(error: unknown): number {
  const cause =
    error instanceof Error
      ? (error.cause as { data?: { retryAfterMs?: unknown } } | null | undefined)
      : undefined;
  const asked = cause?.data?.retryAfterMs;
  return typeof asked === 'number' && asked > 0 ? Math.min(asked, MAX_WAIT_MS) : 0;
}

function backOffMs({ backOff, random }: ParticipationOptions, failures: number): number {
  const { firstMs, mostMs } = backOff ?? { firstMs: 500, mostMs: 30_000 };
  const word = new DataView(random.bytes(4).buffer).getUint32(0, true) / 2 ** 32;
  return Math.min(mostMs, firstMs * 2 ** Math.min(16, failures)) * (0.5 + word / 2);
}

async function untilEligible(
  { conditions, clock }: ParticipationOptions,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const answer = await conditions.check('begin');
    if (answer.eligible) return;
    await clock.sleep(answer.retryAfterMs, signal);
  }
}

/** One connection, from greeting to its end. @returns how long to stay away. */
async function session(
  options: ParticipationOptions,
  signal: AbortSignal,
  onGreeted: () => void,
): Promise<number> {
  const inbox = openInbox();
  const connection = await options.transport.connect(
    {
      onMessage: inbox.push,
      onClose: inbox.close,
      onSent: (message, bytes) => options.onSent?.('attempt' in message ? message.attempt : undefined, bytes),
    },
    signal,
  );
  try {
    await greet(options, connection, inbox, signal);
    onGreeted();
    options.onEvent?.({ type: 'connected' });
    let again = await checkIn(options, connection, signal);
    while (again.kind === 'waiting') {
      const message = await inbox.next(again.untilMs - options.clock.now(), options.clock, signal);
      if (message !== undefined) await answer(options, connection, message, signal);
      if (message === undefined || message.type === 'outcome')
        again = await checkIn(options, connection, signal);
    }
    return Math.max(LEAST_PAUSE_MS, again.pauseMs);
  } finally {
    connection.close();
  }
}

async function greet(
  options: ParticipationOptions,
  connection: Connection,
  inbox: Inbox,
  signal: AbortSignal,
): Promise<void> {
  const { identity, task, crypto } = options;
  const challenge = await inbox.next(REPLY_TIMEOUT_MS, options.clock, signal);
  if (challenge?.type !== 'challenge') throw new Error('the coordinator did not greet');
  if (!challenge.protocols.includes(PROTOCOL_VERSION))
    throw new Error(
      `the coordinator speaks ${challenge.protocols.join(', ')}, this client ${PROTOCOL_VERSION}`,
    );
  if (toHex(challenge.coordinatorKey) !== task.coordinatorKey)
    throw new Error('wrong-coordinator: its key is not the pinned one');
  const digest = helloDigest(challenge.nonce, task.task, fromHex(task.coordinatorKey), crypto);
  const reply = await connection.request(
    {
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      task: task.task,
      identityKey: identity.publicKey,
      signature: crypto.sign(digest, identity.secretKey),
    },
    { timeoutMs: REPLY_TIMEOUT_MS, signal },
  );
  if (reply.type === 'refused') throw refusalOf(reply);
}

const refusalOf = (reply: Reply): Error =>
  new Error('problem' in reply ? `${reply.reason}: ${reply.problem}` : reply.type);

type CheckedIn =
  | { readonly kind: 'waiting'; readonly untilMs: number }
  | { readonly kind: 'later'; readonly pauseMs: number };

async function checkIn(
  options: ParticipationOptions,
  connection: Connection,
  signal: AbortSignal,
): Promise<CheckedIn> {
  const eligible = await options.conditions.check('begin');
  if (!eligible.eligible) return { kind: 'later', pauseMs: eligible.retryAfterMs };
  const reply = await connection.request({ type: 'check-in' }, { timeoutMs: REPLY_TIMEOUT_MS, signal });
  const pauseMs = askedMs(reply);
  if (pauseMs !== undefined) return { kind: 'later', pauseMs };
  if (reply.type !== 'waiting') throw refusalOf(reply);
  const untilMs = options.clock.now() + Math.max(LEAST_PAUSE_MS, reply.checkAgainMs);
  options.onEvent?.({ type: 'waiting', untilMs });
  return { kind: 'waiting', untilMs };
}

async function answer(
  options: ParticipationOptions,
  connection: Connection,
  message: CoordinatorMessage,
  signal: AbortSignal,
): Promise<void> {
  const { clock, device, onEvent, answerEveryMs = 250 } = options;
  const came = clock.now();
  if (message.type !== 'outcome' && message.type !== 'challenge') {
    onEvent?.({
      type: 'phase',
      attempt: message.type === 'describe' ? message.description.attempt : message.attempt,
      phase: message.type,
    });
  }
  const messages = (await stillEligible(options, message)) ?? (await device.handle(message));
  if (message.type === 'describe' && answerEveryMs > 0) {
    const usual = (await options.usualMs?.()) ?? 0;
    const took = clock.now() - came;
    await clock.sleep(leavesAfterMs(Math.max(took, USUAL_TIMES * usual), answerEveryMs) - took, signal);
  }
  for (const out of messages) await send(options, connection, out, signal);
  if (message.type === 'outcome') {
    onEvent?.({
      type: 'round',
      attempt: message.attempt,
      round: message.outcome === 'committed' ? message.round : null,
      outcome: message.outcome,
      reason: message.outcome === 'aborted' ? message.reason : null,
      survivors: message.outcome === 'committed' ? message.survivors : null,
    });
  }
}

/**
 * When an answer that took `tookMs` leaves, counted from the description: at a power of two times `everyMs`, so that its time
 * says little of how much there was to train on.
 */
export function leavesAfterMs(tookMs: number, everyMs: number): number {
  return everyMs * 2 ** Math.max(0, Math.ceil(Math.log2((tookMs + 1) / everyMs)));
}

/** Room above the usual time, so that a busy moment does not show. */
const USUAL_TIMES = 2;

/** Messages after which something about the person would leave the device. */
const ASKS: ReadonlySet<CoordinatorMessage['type']> = new Set(['describe', 'roster', 'relay-shares']);

/** Nothing while conditions hold; a decline, and the end of the attempt, where consent or another condition is gone. */
async function stillEligible(
  { conditions, device }: ParticipationOptions,
  message: CoordinatorMessage,
): Promise<readonly DeviceMessage[] | undefined> {
  if (!ASKS.has(message.type) || message.type === 'challenge') return undefined;
  const answer = await conditions.check(message.type === 'describe' ? 'begin' : 'go-on');
  if (answer.eligible) return undefined;
  device.leave();
  const attempt = message.type === 'describe' ? message.description.attempt : message.attempt;
  const reason = answer.reason === 'consent-withdrawn' ? 'consent-withdrawn' : 'not-eligible';
  return [{ type: 'decline', attempt, reason }];
}
