import { seededRandom } from '@tutti/base';
import { generateFilmShelf } from '@tutti/datasets';
import { describe, expect, it } from 'vitest';
import { renderReport } from '../report/html.ts';
import { methodReport, meanOf, newcomersOf, seedReport, type Bench } from './measure.ts';
import { fitReference, settingsOf, whySkipped } from './references.ts';
import { trainingSampler } from './sampler.ts';
import { tuneReferences } from './tune.ts';

const data = generateFilmShelf({ seed: 5, users: 40, items: 120 });
const train = { ...data.train, users: data.users, items: data.items };
const bench: Bench = { data, train, test: data.test, breathe: () => Promise.resolve() };
const onProgress = (): Promise<void> => Promise.resolve();

describe('means over seeds', () => {
  it('are taken number by number, whatever the shape; what is no number is the first one’s', () => {
    const one = { hr: 1, points: [{ n: 3, hr: 0.5 }], group: 'M' };
    const two = { hr: 0, points: [{ n: 3, hr: 0.25 }], group: 'M' };
    expect(meanOf([one, two])).toEqual({ hr: 0.5, points: [{ n: 3, hr: 0.375 }], group: 'M' });
  });

  it('lie inside the interval, and keep what each seed gave', async () => {
    const newcomers = newcomersOf(bench, await fitReference('item-knn', { train, seed: 1, onProgress }));
    const list = Int32Array.of(1, 2);
    const ranked = [1, 2].map((seed) => ({
      seed,
      people: Array.from({ length: 40 }, (_, user) => ({
        user,
        sampled: user % (4 * seed),
        full: user,
        list,
        score: 0,
      })),
      newcomers,
    }));
    const reports = [];
    for (const one of ranked) reports.push(await seedReport(bench, one));
    const report = methodReport(ranked, reports);
    expect(report.people).toBe(40);
    expect(report.seeds.map(({ seed }) => seed)).toEqual([1, 2]);
    const both = report.seeds.map(({ sampled }) => sampled.ndcg10);
    expect(report.sampled.ndcg10).toBeCloseTo((both[0]! + both[1]!) / 2, 14);
    const [low, high] = report.intervals.sampled.ndcg10;
    expect(report.sampled.ndcg10).toBeGreaterThan(low);
    expect(report.sampled.ndcg10).toBeLessThan(high);
  });
});

describe('the sampler that canaries examine', () => {
  it('draws what training draws: everything outside the positives, the held-out item too', () => {
    const sampler = trainingSampler(12);
    const random = seededRandom('sampler');
    const positives = new Set([2, 5]);
    const drawn = new Set(Array.from({ length: 400 }, () => sampler(0, positives, random)));
    expect(Array.from(drawn).sort((a, b) => a - b)).toEqual([0, 1, 3, 4, 6, 7, 8, 9, 10, 11]);
  });

  it('forgets one person’s draws when it comes to the next', () => {
    const sampler = trainingSampler(3);
    const random = seededRandom('next');
    sampler(0, new Set([0]), random);
    for (let n = 0; n < 20; n++) expect(sampler(1, new Set([1, 2]), random)).toBe(0);
  });

  it('says so where there is nothing to draw', () => {
    expect(() => trainingSampler(2)(0, new Set([0, 1]), seededRandom(1))).toThrow('no negative can be drawn');
  });
});

describe('references', () => {
  it('EASE is left out above its bound, with both sides of the comparison', () => {
    expect(whySkipped('ease', 4_097)).toContain('4097 items are more than 4096');
    expect(whySkipped('ease', 4_096)).toBeUndefined();
    expect(whySkipped('ials', 1_000_000)).toBeUndefined();
  });

  it('are tuned on validation items: the settings are from the grid, and the report names them', async () => {
    const validation = data.validation!;
    const settings = await tuneReferences({ names: ['ease', 'ials'], train, validation, onProgress });
    const base = settingsOf(['ease', 'ials'], train, {});
    const ratio = settings.ease!.regularization / base.ease!.regularization;
    expect([0.3, 1, 3].some((factor) => Math.abs(ratio - factor) < 1e-9)).toBe(true);
    expect(settingsOf(['ease', 'ials'], train, settings)).toEqual(settings);
    expect(settingsOf(['popularity'], train, {})).toEqual({});
  });
});

describe('the page', () => {
  it('loads nothing, and shows text of a data set as text', () => {
    const page = renderReport({
      title: '<script>alert(1)</script>',
      subtitle: 'a & b',
      sections: [
        {
          heading: 'One',
          charts: [
            {
              title: '</script><b>',
              x: ['a', 'b'],
              xLabel: 'x',
              series: [{ label: 'l', values: [1, null] }],
            },
          ],
          folded: { summary: 'more', table: { headings: ['h'], rows: [['<i>']] } },
        },
      ],
      config: {},
    });
    expect(page).not.toMatch(/(src|href)="?https?:/);
    expect(page).not.toContain('<script>alert');
    expect(page).not.toContain('</script><b>');
    expect(page).toContain('&lt;i&gt;');
    expect(page).toContain('id="charts-0"');
  });
});
