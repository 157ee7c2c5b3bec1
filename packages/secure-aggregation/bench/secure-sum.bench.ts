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
  addShares,
  addUnmaskReply,
  advertiseKeys,
  answerUnmask,
  applyCorrections,
  closeInputs,
  closeKeys,
  closeShares,
  collectKeys,
  countInput,
  isRefused,
  maskInput,
  recoverMasks,
  shareKeys,
  type QuantizedInput,
  type RoundDigest,
} from '../src/index.ts';
import { nodeCrypto as crypto } from '../src/node.ts';

const N = Number(process.argv[2] ?? 100);
const D = Number(process.argv[3] ?? 118_592);
const RUNS = Number(process.argv[4] ?? 3);
const DROPPED = Math.round(0.05 * N);

const times = new Map<string, number[]>();
/** Runs `work` and files its time, in milliseconds, under `name`. */
function timed<T>(name: string, work: () => T): T {
  const started = performance.now();
  const result = work();
  times.set(name, [...(times.get(name) ?? []), performance.now() - started]);
  return result;
}

function good<T extends object>(value: T): Exclude<T, { phase: 'aborted' } | { refused: string }> {
  if (isRefused(value) || ('phase' in value && value.phase === 'aborted'))
    throw new Error(JSON.stringify(value));
  return value as Exclude<T, { phase: 'aborted' } | { refused: string }>;
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
  let advertising = collectKeys({ crypto, roundDigest, largest: N, smallest: 2 });
  timed('coordinator: bundles', () => {
    for (const { bundle } of clients) advertising = good(addBundle(advertising, bundle));
  });
  let sharing = good(closeKeys(advertising));
  const shared = clients.map(({ state }) => {
    const result = timed('client: share keys', () => shareKeys(state, sharing.roster, { smallestCohort: 2 }));
    sharing = good(addShares(sharing, state.id, result.shares));
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
    const { id } = state;
    const { reply } = timed('client: unmask', () => answerUnmask(state, unmasking.survivors));
    unmasking = good(addUnmaskReply(unmasking, id, reply));
  }
  timed('coordinator: unmask all', () => {
    const recovered = good(recoverMasks(unmasking));
    applyCorrections(sum, recovered.corrections, crypto);
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
    `n = ${N}, d = ${D}, ${DROPPED} dropped after sharing keys, ${RUNS} runs after a warm-up; every sum exact`,
    `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}`,
    '',
    '| step | median ms | spread |',
    '| --- | --: | --- |',
    ...lines,
    '',
  ].join('\n'),
);
