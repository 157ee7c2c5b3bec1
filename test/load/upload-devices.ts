import { setMaxListeners } from 'node:events';
import { keepLocal, seededRandom, systemRandom, wipe } from '@tutti/base';
import {
  createDevice,
  createParticipation,
  DEFAULT_POLICY,
  memoryClientStore,
  type Connection,
  type Transport,
} from '@tutti/client';
import { createModel, decodeModelConfig, type LoadedModel } from '@tutti/model';
import {
  decodeCoordinatorMessage,
  decodeReply,
  encodeMessage,
  decodeTaskInfo,
  type Reply,
} from '@tutti/protocol';
import type { CryptoSuite, KeyPair } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { io, type Socket } from 'socket.io-client';

/**
 * Many devices in a process. They take part in real rounds, with made-up deltas for training, and keep the frames of their masked
 * inputs back until the parent says `tutti`: then all upload at once, a frame after the other, each once the one before was acknowledged.
 * When it says `bare`, they send the same frames to bare socket.io. Arguments: address, address of bare socket.io, first device, devices.
 */
const [url, bareUrl, first, count] = process.argv.slice(2) as [string, string, string, string];
const random = systemRandom();
const task = decodeTaskInfo(await (await fetch(`${url}/v1/tasks/films`)).json());
const model = createModel(decodeModelConfig(task.model), task.items);
const SIGNAL = new AbortController().signal;
setMaxListeners(0, SIGNAL);

interface Upload {
  readonly socket: Socket;
  readonly bare: Socket;
  readonly frames: readonly Uint8Array[];
  readonly uploaded: (last: Reply) => void;
}
let held: Upload[] = [];
let inputs: Uint32Array | undefined;
watchInputs(nodeCrypto);

process.on('disconnect', () => process.exit(0));
process.on('message', (side: 'tutti' | 'bare') => {
  const uploads = held;
  if (side === 'tutti') held = [];
  void Promise.all(uploads.map((upload) => uploadTo(upload[side === 'bare' ? 'bare' : 'socket'], upload)))
    .then((replies) => {
      process.send?.({ done: side });
      if (side === 'tutti') uploads.forEach(({ uploaded }, i) => uploaded(replies[i] as Reply));
    })
    .catch((error: unknown) => process.send?.({ failed: String(error) }));
});

/** Sends frames, each once the one before was taken. @returns what the last one was answered. */
async function uploadTo(socket: Socket, { frames }: Upload): Promise<Reply> {
  let last: Reply | undefined;
  for (const frame of frames) {
    last = decodeReply(await ask(socket, frame));
    if (last.type !== 'accepted') throw new Error(`not taken: ${JSON.stringify(last)}`);
  }
  return last as Reply;
}

const ask = (socket: Socket, bytes: Uint8Array): Promise<unknown> =>
  new Promise((resolve) => socket.emit('m', bytes, resolve));

/** What all devices here put in, added up: the sum, without their masks. */
function watchInputs(suite: { -readonly [Name in keyof CryptoSuite]: CryptoSuite[Name] }): void {
  const { addKeystreams } = suite;
  suite.addKeystreams = (target, streams) => {
    if ((new Error().stack ?? '').includes('client-input')) {
      const sum = (inputs ??= new Uint32Array(target.length));
      for (let i = 0; i < target.length; i++) sum[i] = (sum[i] as number) + (target[i] as number);
    }
    addKeystreams(target, streams);
  };
}

const connected = async (to: string): Promise<Socket> => {
  const socket = io(to, {
    path: '/v1/socket',
    transports: ['websocket'],
    forceNew: true,
    autoConnect: false,
  });
  const opened = new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.connect();
  await opened;
  return socket;
};

/** Messages as `@tutti/client-node` carries them; frames of masked inputs are kept back until all are there. */
function holdingTransport(bare: Socket): Transport {
  return {
    async connect({ onMessage, onClose }): Promise<Connection> {
      const socket = io(url, {
        path: '/v1/socket',
        transports: ['websocket'],
        forceNew: true,
        autoConnect: false,
      });
      socket.on('m', (bytes: unknown) => onMessage(decodeCoordinatorMessage(bytes)));
      socket.on('disconnect', (reason) => onClose(reason));
      const opened = new Promise<void>((resolve) => socket.once('connect', resolve));
      socket.connect();
      await opened;
      let frames: Uint8Array[] = [];
      return {
        async request(message) {
          const bytes = encodeMessage<never>(message as never);
          if (message.type !== 'masked-input') return decodeReply(await ask(socket, bytes));
          frames.push(bytes);
          if (message.index + 1 < message.count) return { type: 'accepted', next: message.index + 1 };
          const whole = frames;
          frames = [];
          return new Promise((uploaded) => hold({ socket, bare, frames: whole, uploaded }));
        },
        close: () => void socket.disconnect(),
      };
    },
  };
}

function hold(upload: Upload): void {
  held.push(upload);
  if (held.length < Number(count)) return;
  const bytes = held.reduce(
    (sum, { frames }) => sum + frames.reduce((all, frame) => all + frame.length, 0),
    0,
  );
  process.send?.({ held: inputs, bytes });
  if (inputs !== undefined) wipe(inputs);
  inputs = undefined;
}

function openDevice(identity: KeyPair, number: number): ReturnType<typeof createDevice> {
  const deltas = seededRandom('upload').fork(number);
  const delta = Float32Array.from({ length: model.layout.length }, () => deltas.normal() / 200);
  const trained: LoadedModel = {
    train: async (local) => ({
      delta: Float32Array.from(delta),
      local: local ?? keepLocal(new Float32Array(model.localLength)),
      ...{ loss: 1, examples: 1, touchedRows: keepLocal(new Int32Array(0)) },
    }),
    personalize: async (local) => local ?? keepLocal(new Float32Array(model.localLength)),
    score: async (_, items) => keepLocal(new Float32Array(items?.length ?? 0)),
    rank: async () => keepLocal({ items: new Int32Array(0), scores: new Float32Array(0) }),
    dispose: () => undefined,
  };
  return createDevice({
    ...{ identity, task, model },
    ...{ store: memoryClientStore(), crypto: nodeCrypto, random, nowMs: () => Date.now() },
    models: { open: async () => trained, openSlice: () => Promise.reject(new Error('no slices here')) },
    data: async () => ({
      positives: keepLocal(Int32Array.of(1, 2)),
      heldOut: keepLocal({ item: 3, candidates: Int32Array.of(4, 5) }),
    }),
    words: () => seededRandom('words').fork(number),
    seeds: () => seededRandom('seeds').fork(number),
    policy: { ...DEFAULT_POLICY, smallestCohort: 2, insecureSmallCohort: true },
  });
}

for (let number = Number(first); number < Number(first) + Number(count); number++) {
  const identity = nodeCrypto.signKeyPair(random);
  const participation = createParticipation({
    ...{ device: openDevice(identity, number), task, identity, crypto: nodeCrypto, random },
    transport: holdingTransport(await connected(bareUrl)),
    conditions: { check: async () => ({ eligible: true }) },
    clock: {
      now: () => performance.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
    answerEveryMs: 10,
    backOff: { firstMs: 50, mostMs: 400 },
  });
  void participation.run({ signal: SIGNAL });
}
