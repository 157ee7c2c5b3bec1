import { seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEMI_HONEST } from '../test/exchange.ts';
import { findGraph } from './find-graph.ts';
import { fewestSurvivors, groupShape, smallestGroup, sparseGraph } from './graph.ts';
import { nodeCrypto } from './node.ts';
import { portableCrypto } from './portable-crypto.ts';

describe('smallestGroup', () => {
  it('is the least that splitting any cohort from the smallest to the planned one can give', () => {
    const sizes = fc
      .record({
        smallest: fc.integer({ min: 2, max: 300 }),
        more: fc.integer({ min: 0, max: 300 }),
        largestGroup: fc.integer({ min: 2, max: 130 }),
      })
      .map(({ smallest, more, largestGroup }) => ({ smallest, planned: smallest + more, largestGroup }));
    fc.assert(
      fc.property(sizes, ({ planned, smallest, largestGroup }) => {
        const sizes = new Set<number>();
        for (let cohort = smallest; cohort <= planned; cohort++) {
          const groups = Math.ceil(cohort / largestGroup);
          sizes.add(Math.floor(cohort / groups)).add(Math.ceil(cohort / groups));
        }
        expect(smallestGroup({ planned, smallest, largestGroup })).toBe(Math.min(...sizes));
        if (Math.min(...sizes) >= 2)
          expect(fewestSurvivors({ planned, smallest, largestGroup }, SEMI_HONEST)).toBe(
            Math.min(...[...sizes].map((size) => groupShape(size, SEMI_HONEST).fewestSurvivors)),
          );
      }),
      { numRuns: 500 },
    );
  });
});

const shapeOf = (members: number, over = {}) => groupShape(members, { ...SEMI_HONEST, ...over });

describe('groupShape', () => {
  it('is complete up to 128 members, with t = ⌊2k/3⌋ + 1, and holds against colluders below a third', () => {
    expect(shapeOf(100)).toEqual({
      kind: 'complete',
      members: 100,
      degree: 99,
      threshold: 67,
      fewestSurvivors: 68,
    });
    expect(shapeOf(128).kind).toBe('complete');
  });

  it('is sparse above, with what the finder gives for whole numbers of colluders and dropouts', () => {
    const { degree, threshold } = findGraph({
      members: 300,
      corrupt: 15,
      dropped: 15,
      adversary: 'semi-honest',
    });
    expect(shapeOf(300)).toEqual({ kind: 'sparse', members: 300, degree, threshold, fewestSurvivors: 285 });
    // ⌊.029 · 1000⌋ = 29, which is 28 when doubles are multiplied.
    expect(shapeOf(1_000, { dropoutPermille: 29 }).fewestSurvivors).toBe(971);
  });

  it('keeps 2t above k and the colluders among the neighbours, in active mode', () => {
    for (const members of [129, 500, 1_000]) {
      const { kind, degree, threshold } = shapeOf(members, { mode: 'active' });
      expect(kind).toBe('sparse');
      expect(2 * threshold).toBeGreaterThan(degree + 1);
    }
  });

  it('is complete where no sparse graph is sure enough', () => {
    const shape = shapeOf(130, { mode: 'active', corruptPermille: 330, dropoutPermille: 400 });
    expect(shape).toMatchObject({ kind: 'complete', degree: 129 });
  });
});

describe('a sparse graph', () => {
  const shape = shapeOf(200);
  const seed = nodeCrypto.digest('graph seed of a test');
  const graph = sparseGraph(shape, seed, nodeCrypto);

  it('gives each member k distinct neighbours, none itself, and whose neighbour I am is mine', () => {
    for (let index = 0; index < shape.members; index++) {
      const neighbours = graph.neighbours(index);
      expect(new Set(neighbours).size).toBe(shape.degree);
      expect(neighbours).not.toContain(index);
      expect(neighbours).toEqual([...neighbours].sort((a, b) => a - b));
      for (const other of neighbours) expect(graph.neighbours(other)).toContain(index);
    }
  });

  it('is the same for equal seeds and crypto suites, and another for another seed', () => {
    const all = (of: typeof graph): number[][] =>
      Array.from({ length: 200 }, (_, i) => [...of.neighbours(i)]);
    expect(all(sparseGraph(shape, seed, portableCrypto))).toEqual(all(graph));
    expect(all(sparseGraph(shape, nodeCrypto.digest('another'), nodeCrypto))).not.toEqual(all(graph));
  });

  it('connects survivors whoever drops out, up to what it was found for', () => {
    const random = seededRandom(5);
    for (let round = 0; round < 20; round++) {
      const gone = new Set<number>();
      while (gone.size < 20) gone.add(random.int(200));
      const start = [...Array(200).keys()].find((index) => !gone.has(index)) as number;
      const reached = new Set([start]);
      for (const index of reached)
        for (const other of graph.neighbours(index)) if (!gone.has(other)) reached.add(other);
      expect(reached.size).toBe(180);
    }
  });
});
