import { messageOf, UsageError } from '@tutti/base';
import { memoryClientStore, type ClientClock, type ClientStore, type TokenSource } from '@tutti/client';
import {
  addressOf,
  checkCommonOptions,
  openDownloads,
  Recommender,
  shareEngine,
  type DecodeConfig,
  type OpenChannels,
  type RecommenderEvent,
  type SharedEngine,
} from '@tutti/client/sdk';
import type { Model, TrainingEngine } from '@tutti/model';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { browserConditions, NO_PAGE, steadyNow, type PageState } from './conditions.ts';
import { DamagedStoreError } from './errors.ts';
import { openTabs, type Tabs } from './tabs.ts';
import { sealedStore } from './sealed-store.ts';
import { webSocketTransport } from './socket.ts';
import type { Settings, Verbs } from './verbs.ts';

/** What trains a model: the kernel, or for an app's own model TensorFlow.js. */
export type OpenEngine = (model: Model) => TrainingEngine | Promise<TrainingEngine>;

/** The engine of a room. */
export interface EngineParts {
  readonly openEngine: OpenEngine;
  /** Checks the configuration of a model, of those that it trains. */
  readonly decodeConfig: DecodeConfig;
  /** Whether it needs no WebAssembly, or has it. */
  readonly wasm: boolean;
  readonly crypto: CryptoSuite;
  /** How it comes to models on channels, where it does. */
  readonly openChannels?: OpenChannels | undefined;
}

/** What a host is given from outside a structured clone. */
export interface HostParts extends EngineParts {
  readonly hear: (event: RecommenderEvent) => void;
  readonly token?: TokenSource;
}

/** The engine room of one recommender: storage, training, masking and the socket, in a worker or where there is none in place. */
export interface Host {
  readonly verbs: { readonly [Verb in keyof Verbs]: Verbs[Verb] };
  setPage(state: PageState): void;
}

/** Names in the store: what may not silently begin anew, and what can be fetched again. */
const IRREPLACEABLE = new Set(['privacy-ledger']);
const EXPENDABLE = new Set(['task', 'catalogue']);

const clock: ClientClock = {
  now: steadyNow,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new DOMException('stopped', 'AbortError'));
      const stop = (): void => {
        clearTimeout(timer);
        reject(new DOMException('stopped', 'AbortError'));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      }, ms);
      signal.addEventListener('abort', stop, { once: true });
    }),
};

/** Opens the engine room. It needs no network. @throws {UsageError} for a setting that is not what it must be. */
export async function openHost(settings: Settings, parts: HostParts): Promise<Host> {
  checkCommonOptions({ ...settings, ...settings.own });
  const coordinator = addressOf(settings.coordinator);
  const name = `tutti ${coordinator} ${settings.task}`;
  const warn = (code: string, message: string): void => parts.hear({ type: 'warning', code, message });
  let gone = false;
  const store = await keptStore(name, warn, () => (gone = true));
  const engine = sharedEngine(parts, warn);
  let page: PageState = settings.page ?? NO_PAGE;
  const { identity: _, ...own } = settings.own;
  const core = new Recommender({
    ...own,
    ...parts,
    taskName: settings.task,
    store: store ?? memoryClientStore(),
    downloads: openDownloads(
      coordinator,
      // What is kept is kept in our storage, sealed: forgetting leaves nothing in the browser's cache.
      (url, init) => fetch(url, { ...init, cache: 'no-store', credentials: 'omit' }),
      parts.crypto,
    ),
    transport: webSocketTransport(coordinator),
    clock,
    nowMs: () => Date.now(),
    engine,
    conditions: browserConditions(settings.eligibility, () => page),
    consentNeeded: true,
    onEvent: parts.hear,
    onUnkept: (cause) => warn('storage-full', messageOf(cause)),
    keptFirst: true,
  });
  const tabs = openTabs(name, {
    recorded: () => core.history.refresh(),
    consent: (state) => core.consentChanged(state),
    forgotten: () =>
      void forget()
        .catch(() => undefined)
        .then(() => parts.hear({ type: 'forgotten' })),
  });
  const takesPart = store !== undefined && tabs !== undefined;
  const turns = takesPart ? partTaking(core, store, tabs, warn) : NOT_HERE;
  if (settings.participate) turns.start();
  const closeAll = async (): Promise<void> => {
    await turns.stop();
    tabs?.close();
    engine.close();
    await store?.close();
  };
  const forget = async (): Promise<void> => {
    await turns.stop();
    await core.forget();
    await closeAll();
  };
  const open = (): Recommender => {
    if (gone) throw new UsageError('this recommender was forgotten; open another one');
    return core;
  };
  const answered = async (state: 'granted' | 'withdrawn'): Promise<void> => {
    await (state === 'granted' ? open().consent.grant() : open().consent.withdraw());
    tabs?.tell({ type: 'consent', state });
  };
  return {
    setPage: (state) => (page = state),
    verbs: {
      async record(interactions) {
        await open().record(interactions);
        tabs?.tell({ type: 'recorded' });
      },
      history: () => open().history.all(),
      knows: async (item) => (await open().know()).catalogue.indexOf(item) !== undefined,
      recommend: (options) => open().recommend(options),
      similar: ({ item, ...options }) => open().similar(item, options),
      refresh: (_, signal) => open().refresh({ signal }),
      privacy: () => open().privacy(),
      receipts: () => open().receipts(),
      grant: () => answered('granted'),
      withdraw: () => answered('withdrawn'),
      consent: () => open().consent.state(),
      participate: async () => turns.start(),
      stop: () => turns.stop(),
      async forget() {
        tabs?.tell({ type: 'forgotten' });
        await forget();
      },
      close: closeAll,
    },
  };
}

/** The store in IndexedDB; nothing where the browser gives none, which is said once. */
async function keptStore(
  name: string,
  warn: (code: string, message: string) => void,
  onGone: () => void,
): Promise<ClientStore | undefined> {
  if (globalThis.isSecureContext !== true || globalThis.crypto?.subtle === undefined) {
    warn(
      'insecure-context',
      'this page came over plain http: nothing is kept after it closes, and it takes part in no round. Serve it over https.',
    );
    return undefined;
  }
  try {
    return await sealedStore(name, {
      irreplaceable: IRREPLACEABLE,
      expendable: EXPENDABLE,
      onWarning: warn,
      onGone,
    });
  } catch (error) {
    warn(
      'storage-refused',
      `the browser gives this page no storage (${messageOf(error)}): nothing is kept after it closes, and it takes part in no round.`,
    );
    return undefined;
  }
}

function sharedEngine(
  { openEngine, wasm }: HostParts,
  warn: (code: string, message: string) => void,
): SharedEngine {
  if (!wasm)
    warn(
      'wasm-blocked',
      "WebAssembly does not run here: training takes some times longer. A content policy needs script-src 'wasm-unsafe-eval'.",
    );
  return shareEngine(async (model) => ({ engine: await openEngine(model), notes: [] }));
}

interface Turns {
  start(): void;
  stop(): Promise<void>;
}

/** Where nothing is kept, or tabs cannot be told apart, nobody takes part; the reason was said. */
const NOT_HERE: Turns = { start: () => undefined, stop: async () => undefined };

/** Takes part whenever no other tab does. */
function partTaking(
  core: Recommender,
  store: ClientStore,
  tabs: Tabs,
  warn: (code: string, message: string) => void,
): Turns {
  let running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  async function turn(signal: AbortSignal): Promise<void> {
    await tabs.alone(signal, async () => {
      // Another tab may have taken part until now.
      core.history.refresh();
      await store.get('privacy-ledger');
      await core.participate({ signal });
    });
  }
  return {
    start() {
      if (running !== undefined) return;
      const stop = new AbortController();
      const done = turn(stop.signal).catch((error: unknown) => {
        if (stop.signal.aborted) return;
        if (error instanceof DamagedStoreError)
          warn('ledger-damaged', `what this device spent of its privacy cannot be read: ${error.message}`);
        else warn('not-taking-part', messageOf(error));
      });
      running = { stop, done };
    },
    async stop() {
      running?.stop.abort();
      await running?.done;
      running = undefined;
    },
  };
}
