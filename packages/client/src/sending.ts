import { wipe } from '@tutti/base';
import { frameCount, frameOf, type Reply } from '@tutti/protocol';
import type { MaskedInput } from '@tutti/secure-aggregation';
import type { ParticipationOptions } from './participation-options.ts';
import type { Connection, DeviceMessage } from './ports.ts';

/** How long an answer to a message may take. */
export const REPLY_TIMEOUT_MS = 30_000;

/** Pause before a message goes again that the coordinator had no room for, in milliseconds. */
const BUSY_MS = 250;

/** Times that a frame may be sent again. */
const MOST_RESENDS = 8;

/** The coordinator was told that its round is of another model than this device knows: it has to be learned first. */
export class OtherModel extends Error {}

/**
 * Sends one message of the device, again where the coordinator has no room for it; an upload in frames.
 *
 * @throws {OtherModel} once a decline for `wrong-model` is sent.
 */
export async function send(
  options: ParticipationOptions,
  connection: Connection,
  message: DeviceMessage,
  signal: AbortSignal,
): Promise<void> {
  if (message.type === 'masked-input') return sendFrames(options, connection, message, signal);
  if (message.type === 'decline')
    options.onEvent?.({ type: 'declined', attempt: message.attempt, reason: message.reason });
  let reply = await connection.request(message, { timeoutMs: REPLY_TIMEOUT_MS, signal });
  for (let again = 0; isBusy(reply) && again < MOST_RESENDS; again++) {
    await options.clock.sleep(busyMs(reply, again), signal);
    reply = await connection.request(message, { timeoutMs: REPLY_TIMEOUT_MS, signal });
  }
  if (reply.type === 'refused')
    options.onEvent?.({ type: 'refused', reason: reply.reason, problem: reply.problem });
  if (message.type === 'decline' && message.reason === 'wrong-model') throw new OtherModel();
}

const isBusy = (reply: Reply): boolean => reply.type === 'refused' && reply.reason === 'too-busy';

/** When something is sent again that found no place: not before the coordinator asks for it. */
const busyMs = (reply: Reply, again: number): number => Math.max(BUSY_MS * 2 ** again, askedMs(reply) ?? 0);

/** For how long a reply asks to stay away. */
export const askedMs = (reply: Reply & { readonly retryAfterMs?: number | undefined }): number | undefined =>
  reply.retryAfterMs;

/** Uploads frame by frame; the coordinator says which it expects, so an upload goes on where a lost connection left it. */
async function sendFrames(
  options: ParticipationOptions,
  connection: Connection,
  { attempt, words, wordBits }: Extract<DeviceMessage, { type: 'masked-input' }>,
  signal: AbortSignal,
): Promise<void> {
  const count = frameCount(words.length, wordBits);
  for (let index = 0, resends = 0; index < count;) {
    const frame = frameOf(attempt, words as MaskedInput, index, wordBits);
    const reply: Reply = await connection
      .request(frame, { timeoutMs: REPLY_TIMEOUT_MS, signal })
      .finally(() => wipe(frame.bytes));
    if (reply.type === 'accepted' && (reply.next === undefined || reply.next > index)) {
      index = reply.next ?? count;
      continue;
    }
    const busy = isBusy(reply);
    if (busy) await options.clock.sleep(busyMs(reply, resends), signal);
    const expected = busy ? index : 'next' in reply ? reply.next : undefined;
    if (expected === undefined || expected >= count || resends++ >= MOST_RESENDS) {
      if (reply.type === 'refused')
        options.onEvent?.({ type: 'refused', reason: reply.reason, problem: reply.problem });
      return;
    }
    index = expected;
  }
}
