import { systemRandom } from '@tutti/base';
import { decodeCoordinatorMessage, decodeReply } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { io, type Socket } from 'socket.io-client';
import { greetingFor } from '../wire/greeting.ts';

const random = systemRandom();

/** Opens a socket that greets and then rests: of a device that does not take part at the moment. */
export async function openStranger(url: string): Promise<Socket> {
  const identity = nodeCrypto.signKeyPair(random);
  const socket = io(url, {
    ...{ path: '/v1/socket', transports: ['websocket'] },
    ...{ forceNew: true, autoConnect: false, reconnection: false },
  });
  const challenge = new Promise<Uint8Array>((resolve, reject) => {
    socket.once('m', resolve);
    socket.once('connect_error', reject);
  });
  socket.connect();
  const message = decodeCoordinatorMessage(await challenge);
  if (message.type !== 'challenge') throw new Error('no challenge');
  const hello = greetingFor(message, identity);
  const reply = decodeReply(await new Promise((resolve) => socket.emit('m', hello, resolve)));
  if (reply.type !== 'welcome') throw new Error(reply.type);
  return socket;
}
