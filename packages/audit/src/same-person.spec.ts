import { seededRandom, type SeededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { learnSamePerson } from './same-person.ts';
import { auc } from './statistics.ts';
import { dot, norm } from './people.ts';

const WIDTH = 6;
const PEOPLE = 40;
const ROWS = 8;

/** Spread of people's means, and of a person's rows about theirs, in each coordinate: far from round. */
const BETWEEN = [3, 1, 0.5, 0.1, 2, 0.05];
const WITHIN = [1, 0.1, 2, 0.1, 3, 0.01];
const MEAN = [5, -3, 0, 1, 0, 2];

function population(random: SeededRandom, noise: number): Float64Array[][] {
  return Array.from({ length: PEOPLE }, () => {
    const own = MEAN.map((mean, i) => mean + (BETWEEN[i] as number) * random.normal());
    return Array.from({ length: ROWS }, () =>
      Float64Array.from(
        own,
        (value, i) => value + (WITHIN[i] as number) * random.normal() + noise * random.normal(),
      ),
    );
  });
}

function areaOf(people: Float64Array[][], score: (a: Float64Array, b: Float64Array) => number): number {
  const rows = people.flatMap((own, person) => own.map((row) => ({ person, row })));
  const scores: number[] = [];
  const labels: number[] = [];
  rows.forEach((a, i) => {
    for (const b of rows.slice(0, i)) {
      scores.push(score(a.row, b.row));
      labels.push(a.person === b.person ? 1 : 0);
    }
  });
  return auc(scores, labels);
}

const areaOfTest = (learned: Float64Array[][], asked: Float64Array[][], noise: number): number => {
  const test = learnSamePerson(learned, WIDTH, noise ** 2);
  return areaOf(asked, (a, b) => test.compare(test.project(a), test.project(b)));
};

describe('the likelihood ratio of two rows', () => {
  it('beats the angle by far where rows differ in some directions and people in others', () => {
    const learned = population(seededRandom('learn'), 0);
    const asked = population(seededRandom('ask'), 0);
    // 51,040 pairs of 320 rows: both figures stray by less than 0.01 over seeds.
    const angle = areaOf(asked, (a, b) => dot(a, b) / (norm(a) * norm(b)));
    expect(angle).toBeLessThan(0.85);
    expect(areaOfTest(learned, asked, 0)).toBeGreaterThan(0.99);
  });

  it('reckons with noise that it is told of, and loses less by it', () => {
    const learned = population(seededRandom('learn'), 0);
    const asked = population(seededRandom('ask'), 0.5);
    expect(areaOfTest(learned, asked, 0.5)).toBeGreaterThan(areaOfTest(learned, asked, 0) + 0.05);
  });

  it('finds nothing where there are no persons: rows dealt at random', () => {
    const random = seededRandom('none');
    const nobody = Array.from({ length: PEOPLE }, () =>
      Array.from({ length: ROWS }, () => Float64Array.from({ length: WIDTH }, () => random.normal())),
    );
    // 1,120 pairs of one person among 51,040: guessing strays by 0.009, four deviations are 0.036 (false alarms 6e-5).
    expect(Math.abs(areaOfTest(population(seededRandom('learn'), 0), nobody, 0) - 0.5)).toBeLessThan(0.036);
  });

  it('is the ln of the ratio: for one coordinate, of the two normal densities', () => {
    // Rows are ±d about each person's mean, means ±m: within and between by moments are known.
    const people = [3, -3].map((mean) => [[mean + 1], [mean - 1], [mean + 1], [mean - 1]]);
    const test = learnSamePerson(people, 1, 0);
    // Within: Σ of 8 squares of 1 over 8 − 2; between: (4·9·2/1 − within)/4, counted as rows.
    const within = 8 / 6;
    const between = (72 - within) / 4;
    const [t, r] = [within + between, between / (within + between)];
    const [x, y] = [4, 1];
    const joint =
      -0.5 * Math.log(1 - r * r) -
      (x * x + y * y - 2 * r * x * y) / (2 * t * (1 - r * r)) +
      (x * x + y * y) / (2 * t);
    expect(test.compare(test.project([x]), test.project([y]))).toBeCloseTo(joint, 6);
  });
});
