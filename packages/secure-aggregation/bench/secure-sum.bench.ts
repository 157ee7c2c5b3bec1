/**
 * What a secure sum costs each side: n = 100, d = 118,592, 5 % drop out after sharing keys, against a plain sum.
 *
 *     node --import ./packages/base/source.js packages/secure-aggregation/bench/secure-sum.bench.ts
 */
import { cpus } from 'node:os';
import { seededRandom, systemRandom, utf8 } from '@tutti/base';
import {
  addBundle,
  addInto,
  addNonce,
  addShares,
  addUnmaskReply,
  advertiseKeys,
  answerUnmask,
  closeInputs,
  closeKeys,
  closeNonces,
  closeShares,
  collectKeys,
  countInput,
  enterCohort,
  isRefused,
  maskInput,
  recoverMasks,
  removeMasks,
  shareKeys,
  type ClientId,
  type GraphRules,
  type QuantizedInput,
  type RoundDigest,
} from '../src/index.ts';
import { nodeCrypto as crypto } from '../src/node.ts';

const N = Number(process.argv[2] ?? 100);
const D = Number(process.argv[3] ?? 118_592);
const RUNS = Number(process.argv[4] ?? 3);
const DROPPED = Math.round(0.05 * N);
/** A sparse graph above `largestComplete`; the share of colluders decides its degree. */
const RULES: GraphRules = {
  mode: 'semi-honest',
  corruptPermille: Number(process.argv[5] ?? 50),
  dropoutPermille: 50,
  largestComplete: Number(process.argv[6] ?? 128),
};
let shape = '';

const times = new Map<string, number[]>();
/** Runs `work` and files its time, in milliseconds, under `name`. */
function timed<T>(name: string, work: () => T): T {
  const started = performance.now();
  const result = work();
  times.set(name, [...(times.get(name) ?? []), performance.now() - started]);
  return result;
}

type Good<T> = Exclude<T, { phase: 'aborted' | 'survivors' } | { refused: string }>;

function good<T extends object>(value: T): Good<T> {
  if (isRefused(value) || ('phase' in value && value.phase === 'aborted'))
    throw new Error(JSON.stringify(value));
  return value as Good<T>;
}

function run(number: number): void {
  const random = systemRandom();
  const seeded = seededRandom(number);
  const roundDigest = crypto.digest('round', utf8(String(number))) as RoundDigest;
  const inputs = Array.from(
    { length: N },
    () => Uint32Array.from({ length: D }, () => seeded.uint32()) as QuantizedInput,
  );
  const clients = inputs.map((input) => ({
    input,
    ...timed('client: keys', () =>
      advertiseKeys({ roundDigest, identity: crypto.signKeyPair(random), random, crypto }),
    ),
  }));
  let advertising = collectKeys({ crypto, roundDigest, rules: RULES, largest: N, smallest: 2 });
  timed('coordinator: bundles', () => {
    for (const { bundle } of clients) advertising = good(addBundle(advertising, bundle));
  });
  let keys = good(closeKeys(advertising));
  shape = `${keys.shape.kind}, k = ${keys.shape.degree}, t = ${keys.shape.threshold}`;
  const entered = clients.map(({ state }) => {
    const result = timed('client: check the roster', () =>
      enterCohort(state, keys.roster, { ...RULES, smallestCohort: 2 }),
    );
    if (keys.phase === 'reveal-nonces') keys = good(addNonce(keys, state.id, result.nonce as Uint8Array));
    return result.state;
  });
  const begun = good(keys.phase === 'reveal-nonces' ? closeNonces(keys) : keys);
  let sharing = begun;
  const shared = entered.map((state) => {
    const result = timed('client: share keys', () => shareKeys(state, begun.nonces));
    sharing = good(addShares(sharing, state.own.id, result.shares));
    return result.state;
  });
  let collecting = good(closeShares(sharing));
  const sum = new Uint32Array(D);
  const masked = shared.slice(DROPPED).map((state, i) => {
    const relayed = timed('coordinator: relay', () => collecting.relay(state.own.id));
    const result = timed('client: mask input', () =>
      maskInput(state, relayed, inputs[i + DROPPED] as QuantizedInput),
    );
    timed('coordinator: add an upload', () => addInto(sum, result.masked));
    collecting = good(countInput(collecting, state.own.id));
    return result.state;
  });
  let unmasking = good(closeInputs(collecting));
  for (const state of masked) {
    const { id } = state.members[state.index] as { id: ClientId };
    const { reply } = timed('client: unmask', () => answerUnmask(state, unmasking.survivors));
    unmasking = good(addUnmaskReply(unmasking, id, reply));
  }
  timed('coordinator: unmask all', () => {
    const recovered = good(recoverMasks(unmasking));
    removeMasks(sum, recovered, crypto);
  });
  const plain = new Uint32Array(D);
  timed('plain: add all', () => {
    for (const input of inputs.slice(DROPPED)) addInto(plain, input);
  });
  if (sum.some((word, i) => word !== plain[i])) throw new Error('the secure sum is not the plain sum');
}

for (let number = 0; number <= RUNS; number++) {
  if (number === 1) times.clear();
  run(number);
}
const sorted = (values: number[]): number[] => [...values].sort((a, b) => a - b);
const at = (values: number[], share: number): string =>
  (sorted(values)[Math.floor(share * (values.length - 1))] as number).toFixed(2);
const lines = [...times].map(
  ([name, values]) => `| ${name} | ${at(values, 0.5)} | ${at(values, 0)} – ${at(values, 1)} |`,
);
process.stdout.write(
  [
    `n = ${N} (${shape}), d = ${D}, ${DROPPED} dropped after sharing keys, ${RUNS} runs after a warm-up; every sum exact`,
    `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}`,
    '',
    '| step | median ms | spread |',
    '| --- | --: | --- |',
    ...lines,
    '',
  ].join('\n'),
);
