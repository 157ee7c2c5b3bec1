import { systemRandom, type SeededRandom } from '@tutti/base';
import { decodeCoordinatorMessage, decodeReply } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { io } from 'socket.io-client';
import { greetingFor } from '../wire/greeting.ts';
import { nextMessage, nextPacket, nextValues } from './messages.ts';

/** Somebody on a socket who says anything. */
export interface Stranger {
  /** Says something; waits for an answer where there may be one, and for the connection where it was closed. */
  say(random: SeededRandom): Promise<void>;
  /** Whether it was greeted within `ms`. */
  greeted(ms: number): Promise<boolean>;
  close(): void;
}

/** What is waited for an answer, in milliseconds: some are never given. */
const ANSWER_MS = 2_000;
const CONNECT_MS = 5_000;

/** Opens a stranger. @param greets whether it shows an identity first, so that what it says reaches rounds. */
export function openStranger(url: string, greets: boolean): Stranger {
  const identity = nodeCrypto.signKeyPair(systemRandom());
  const socket = io(url, {
    ...{ path: '/v1/socket', transports: ['websocket'], forceNew: true },
    ...{ reconnectionDelay: 5, reconnectionDelayMax: 20 },
  });
  let attempt = 1;
  let welcome = false;
  socket.on('m', (bytes: unknown) => {
    const message = decodeCoordinatorMessage(bytes);
    if (message.type === 'describe') attempt = message.description.attempt;
    if (message.type !== 'challenge' || !greets) return;
    socket.emit(
      'm',
      greetingFor(message, identity),
      (reply: unknown) => (welcome ||= decodeReply(reply).type === 'welcome'),
    );
  });
  const connected = async (): Promise<boolean> => {
    if (socket.connected) return true;
    if (!socket.active) socket.connect();
    const tooLate = AbortSignal.timeout(CONNECT_MS);
    await new Promise<void>((resolve) => {
      tooLate.addEventListener('abort', () => resolve(), { once: true });
      socket.once('connect', () => resolve());
    });
    return socket.connected;
  };
  const ask = (event: string, values: readonly unknown[]): Promise<void> =>
    new Promise((resolve) => {
      const stop = (): void => {
        clearTimeout(timer);
        socket.off('disconnect', stop);
        resolve();
      };
      const timer = setTimeout(stop, ANSWER_MS);
      socket.once('disconnect', stop);
      socket.emit(event, ...values, stop);
    });
  return {
    async say(random) {
      const kind = random.int(20);
      if (kind > 1) {
        const message = nextMessage(random, attempt);
        if (await connected()) await ask('m', [message]);
        return;
      }
      if (kind === 1) {
        const [event, ...values] = nextValues(random);
        if (await connected()) socket.emit(event, ...values);
        return;
      }
      const packet = nextPacket(random);
      if (!(await connected())) return;
      socket.io.engine.write(packet);
      // Most of these end the connection; the next word waits for a new one.
      await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async greeted(ms) {
      const deadline = Date.now() + ms;
      while (!welcome && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
      return welcome;
    },
    close: () => void socket.disconnect(),
  };
}
