import { createHash } from 'node:crypto';
import { canonicalJson, concatBytes, DecodeError, toHex, utf8 } from '@tutti/base';
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { describe, expect, it } from 'vitest';
import { bytesOf, DESCRIPTION, TASK_INFO } from '../test/samples.ts';
import { decodeDescription, helloDigest, phaseDigest, roundDigest } from './description.ts';
import { decodeTaskInfo } from './task.ts';

type Json = Record<string, unknown>;

function fieldOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof DecodeError) return error.field;
    throw error;
  }
  return 'accepted';
}

/** Every path in `value`, objects before what they hold. */
function pathsOf(value: Json, prefix: readonly string[] = []): string[][] {
  return Object.entries(value).flatMap(([key, inner]) => {
    const path = [...prefix, key];
    const nested = inner !== null && typeof inner === 'object' && !Array.isArray(inner);
    return nested ? [path, ...pathsOf(inner as Json, path)] : [path];
  });
}

/** A copy of `value` with the field at `path` replaced; without `replacement`, removed. */
function changed(value: Json, path: readonly string[], ...replacement: readonly unknown[]): Json {
  const copy = structuredClone(value);
  const owner = path.slice(0, -1).reduce<Json>((inner, key) => inner[key] as Json, copy);
  const last = path.at(-1)!;
  if (replacement.length === 0) delete owner[last];
  else owner[last] = replacement[0];
  return copy;
}

describe.each([
  ['description', DESCRIPTION as Json, decodeDescription],
  ['task', TASK_INFO as Json, decodeTaskInfo],
] as const)('%s from outside', (root, valid, decode) => {
  const paths = pathsOf(valid).filter((path) => !(path[0] === 'model' && path.length > 1));

  it('takes the valid one unchanged', () => {
    expect(decode(structuredClone(valid))).toEqual(valid);
  });

  it.each(paths.map((path) => [path.join('.'), path] as const))('refuses it without %s', (_, path) => {
    expect(fieldOf(() => decode(changed(valid, path)))).toBe([root, ...path].join('.'));
  });

  it.each(paths.map((path) => [path.join('.'), path] as const))('refuses another type at %s', (_, path) => {
    for (const wrong of [null, true, [], Symbol.iterator, () => 1]) {
      if (Array.isArray(wrong) && path.at(-1) === 'metrics') continue;
      if (wrong === true && path.at(-1) === 'clipIndicator') continue;
      const copy = { ...changed(valid, path) };
      const owner = path.slice(0, -1).reduce<Json>((inner, key) => inner[key] as Json, copy);
      owner[path.at(-1)!] = wrong;
      expect(fieldOf(() => decode(copy)).startsWith([root, ...path].join('.')), String(wrong)).toBe(true);
    }
  });

  it('refuses an unknown field at every level, naming it', () => {
    const objects = [[], ...paths.filter((path) => path[0] !== 'model')].filter((path) => {
      const value = path.reduce<unknown>((inner, key) => (inner as Json)[key], valid);
      return value !== null && typeof value === 'object' && !Array.isArray(value);
    });
    for (const path of objects) {
      expect(fieldOf(() => decode(changed(valid, [...path, 'extra'], 1)))).toBe(
        [root, ...path, 'extra'].join('.'),
      );
    }
  });

  it.each([null, undefined, 1, 'text', [], () => 1])('refuses %o', (value) => {
    expect(fieldOf(() => decode(value))).toBe(root);
  });
});

describe('ranges of a description', () => {
  const U32 = 0xffff_ffff;
  const integer = (least: number, most: number) => ({
    ok: [least, most],
    bad: [least - 1, most + 1, least + 0.5, Number.NaN],
  });
  const positive = (most: number) => ({
    ok: [Number.MIN_VALUE, most],
    bad: [0, -1, most * 1.001, Number.NaN, Number.POSITIVE_INFINITY],
  });
  const hex = {
    ok: ['ab'.repeat(32)],
    bad: [
      '',
      'ab'.repeat(31),
      'ab'.repeat(33),
      'AB'.repeat(32),
      `${'ab'.repeat(31)}zz`,
      `${'ab'.repeat(32)}\n`,
    ],
  };
  const literal = (only: unknown) => ({ ok: [only], bad: ['', 'other', 77] });

  const RANGES = {
    protocol: literal(2),
    task: { ok: ['a', '0', 'a-b', 'a'.repeat(63)], bad: ['', '-a', 'A', 'a_b', 'a b', 'a'.repeat(64), 'ä'] },
    round: integer(1, U32),
    attempt: integer(1, U32),
    purpose: { ok: ['train', 'evaluate'], bad: ['test', ''] },
    protection: { ok: ['secure', 'plain'], bad: ['none', ''] },
    mode: { ok: ['semi-honest', 'active'], bad: ['malicious', '', 1] },
    'identity.level': { ok: ['open', 'pinned'], bad: ['closed', '', 0] },
    previousDigest: hex,
    modelHash: hex,
    layoutHash: hex,
    catalogueHash: hex,
    'lanes.delta': integer(0, 4_194_304),
    'lanes.rowCounts': integer(0, 4_194_304),
    'lanes.length': integer(1, 4_194_304),
    'lanes.metrics': {
      ok: [[], ['a'], new Array(16).fill('loss')],
      bad: [new Array(17).fill('loss'), [''], ['Loss'], ['1a'], ['a'.repeat(33)], [1]],
    },
    wordBits: { ok: [24, 32], bad: [0, 8, 16, 23, 25, 31, 33, 64, '24', Number.NaN] },
    'scale.delta': positive(2 ** 31),
    'scale.weight': positive(2 ** 31),
    'scale.metric': positive(2 ** 31),
    clippingNorm: positive(1e9),
    clipIndicator: { ok: [true, false], bad: ['yes', 1] },
    'noise.multiplier': positive(1e6),
    'noise.survivors': integer(1, 1_000_000),
    'noise.deltaVariance': positive(2 ** 40),
    'noise.clipVariance': { ok: [0, 2 ** 40], bad: [-1e-9, 2 ** 41, Number.NaN] },
    'noise.metricVariance': { ok: [0, 2 ** 40], bad: [-1e-9, 2 ** 41, Number.NaN] },
    'noise.mechanism': { ok: ['skellam'], bad: ['gaussian', 'tree', 'none', 'laplace', ''] },
    'cohort.planned': integer(1, 1_000_000),
    'cohort.smallest': integer(1, 1_000_000),
    'cohort.largestGroup': integer(1, 1024),
    'graph.corruptPermille': integer(0, 333),
    'graph.dropoutPermille': integer(0, 500),
    'graph.largestComplete': integer(2, 128),
    'deadlinesMs.train': integer(1, 3_600_000),
    'deadlinesMs.revealNonces': integer(1, 3_600_000),
    'deadlinesMs.survivors': integer(1, 3_600_000),
    'deadlinesMs.shareKeys': integer(1, 3_600_000),
    'deadlinesMs.maskedInput': integer(1, 3_600_000),
    'deadlinesMs.unmask': integer(1, 3_600_000),
  };

  it.each(Object.entries(RANGES))('%s', (name, { ok, bad }) => {
    const path = name.split('.');
    for (const value of ok)
      expect(
        fieldOf(() => decodeDescription(changed(DESCRIPTION, path, value))),
        String(value),
      ).toBe('accepted');
    for (const value of bad) {
      const field = fieldOf(() => decodeDescription(changed(DESCRIPTION, path, value)));
      // Another mechanism is right by itself; what stands beside it is then unknown, or missing.
      const another = name === 'noise.mechanism' && ['none', 'gaussian', 'tree'].includes(String(value));
      const expected = another ? 'description.noise.' : `description.${name}`;
      expect(field.startsWith(expected), `${String(value)}: ${field}`).toBe(true);
    }
  });

  it('other noise, and a cap on taking part', () => {
    const central = { multiplier: 1, clipMultiplier: 0, metricMultiplier: 2 };
    const tree = { mechanism: 'tree', ...central, steps: 64 };
    const banded = { mechanism: 'banded', ...central, steps: 64, coefficients: [64, 32, 24] };
    const fieldWith = (over: object) => fieldOf(() => decodeDescription({ ...DESCRIPTION, ...over }));
    for (const noise of [{ mechanism: 'none' }, { mechanism: 'gaussian', ...central }, tree, banded])
      expect(fieldWith({ noise })).toBe('accepted');
    expect(fieldWith({ noise: { ...tree, steps: 0 } })).toBe('description.noise.steps');
    expect(fieldWith({ noise: { ...tree, multiplier: 0 } })).toBe('description.noise.multiplier');
    expect(fieldWith({ noise: { ...tree, clipMultiplier: -1 } })).toBe('description.noise.clipMultiplier');
    expect(fieldWith({ noise: { ...tree, metricMultiplier: 2e6 } })).toBe(
      'description.noise.metricMultiplier',
    );
    for (const coefficients of [[], [1025], [-1], [0.5], new Array(129).fill(1)])
      expect(fieldWith({ noise: { ...banded, coefficients } })).toContain('description.noise.coefficients');
    expect(fieldWith({ participation: { most: 1, separation: 1 } })).toBe('accepted');
    expect(fieldWith({ participation: { most: 0, separation: 1 } })).toBe('description.participation.most');
    expect(fieldWith({ participation: { most: 1 } })).toBe('description.participation.separation');
    expect(fieldWith({ participation: null })).toBe('description.participation');
  });

  it('without masks a group may hold everybody', () => {
    const cohort = { ...DESCRIPTION.cohort, largestGroup: 1_000_000 };
    const fieldWith = (over: object) => fieldOf(() => decodeDescription({ ...DESCRIPTION, ...over }));
    expect(fieldWith({ cohort, protection: 'plain' })).toBe('accepted');
    expect(fieldWith({ cohort })).toBe('description.cohort.largestGroup');
  });

  it('every field of a description has its range above', () => {
    const paths = pathsOf(DESCRIPTION as Json).map((path) => path.join('.'));
    const leaves = paths.filter((path) => !paths.some((other) => other.startsWith(`${path}.`)));
    expect(Object.keys(RANGES).sort()).toEqual(leaves.sort());
  });
});

describe('digests', () => {
  /** H of secure-aggregation.md §1 on node:crypto: SHA-512 over label and length-prefixed parts, cut to 32 bytes. */
  const reference = (label: string, ...parts: readonly Uint8Array[]): string => {
    const lengths = parts.flatMap((part) => {
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, part.length, true);
      return [length, part];
    });
    const input = concatBytes(utf8(`tutti/v1/${label}`), Uint8Array.of(0), ...lengths);
    return createHash('sha512').update(input).digest('hex').slice(0, 64);
  };

  it('the canonical text of a description is fixed', () => {
    expect(canonicalJson(DESCRIPTION)).toBe(
      '{"attempt":5,"catalogueHash":"' +
        '44'.repeat(32) +
        '","clipIndicator":true,"clippingNorm":1.5,"cohort":{"largestGroup":128,"planned":40,"smallest":16},' +
        '"deadlinesMs":{"maskedInput":60000,"revealNonces":10000,"shareKeys":10000,"survivors":10000,"train":60000,' +
        '"unmask":10000},"graph":{"corruptPermille":50,"dropoutPermille":50,"largestComplete":128},"identity":{"level":"open"},' +
        '"lanes":{"delta":6400,"length":6806,"metrics":["loss","hr10","ndcg10","evaluated"],"rowCounts":400},' +
        `"layoutHash":"${'22'.repeat(32)}","mode":"semi-honest","modelHash":"${'11'.repeat(32)}",` +
        '"noise":{"clipVariance":7.5,"deltaVariance":1510.25,"mechanism":"skellam","metricVariance":0,"multiplier":0.01,"survivors":12},' +
        `"previousDigest":"${'00'.repeat(32)}","protection":"secure","protocol":2,"purpose":"train","round":3,` +
        '"scale":{"delta":16384,"metric":65536,"weight":65536},"task":"films","wordBits":24}',
    );
  });

  it('D is H("round", canonical description), whatever the order of the fields', () => {
    const turned = Object.fromEntries(Object.entries(DESCRIPTION).reverse()) as unknown as typeof DESCRIPTION;
    const expected = reference('round', utf8(canonicalJson(DESCRIPTION)));
    expect(toHex(roundDigest(DESCRIPTION, portableCrypto))).toBe(expected);
    expect(toHex(roundDigest(turned, portableCrypto))).toBe(expected);
  });

  it('any changed field changes D', () => {
    const digests = new Set([toHex(roundDigest(DESCRIPTION, portableCrypto))]);
    const leaves = pathsOf(DESCRIPTION as Json).filter((path) => {
      const value = path.reduce<unknown>((inner, key) => (inner as Json)[key], DESCRIPTION);
      return typeof value === 'string' || typeof value === 'number';
    });
    for (const path of leaves) {
      const value = path.reduce<unknown>((inner, key) => (inner as Json)[key], DESCRIPTION);
      const other = typeof value === 'number' ? value + 1 : `${String(value)}x`;
      digests.add(toHex(roundDigest(changed(DESCRIPTION, path, other) as never, portableCrypto)));
    }
    expect(digests.size).toBe(leaves.length + 1);
  });

  it('phase and hello digests bind each part apart from its neighbours', () => {
    const [a, b] = [bytesOf(32), bytesOf(7, 9)];
    expect(toHex(phaseDigest('roster', a, [b], portableCrypto))).toBe(
      reference('phase', utf8('roster'), a, b),
    );
    expect(toHex(helloDigest(a, 'films', b, portableCrypto))).toBe(reference('hello', a, utf8('films'), b));
    const moved = phaseDigest('roster', a, [b.subarray(0, 3), b.subarray(3)], portableCrypto);
    expect(toHex(moved)).not.toBe(reference('phase', utf8('roster'), a, b));
  });
});
