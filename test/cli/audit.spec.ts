import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const bin = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
  /package\.json$/,
  'bin/tutti.js',
);

function tutti(args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string }> {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout })));
}

describe('tutti audit', () => {
  it('attacks the product, and every verdict is as documented', { timeout: 600_000 }, async () => {
    const { code, stdout } = await tutti(['audit', '--json']);
    const { attacks } = JSON.parse(stdout) as {
      attacks: {
        name: string;
        defence: string;
        statistic: string;
        value: number;
        bound: number;
        verdict: string;
      }[];
    };
    expect(attacks.filter(({ verdict }) => verdict !== 'defended' && verdict !== 'exposed')).toEqual([]);
    expect(code).toBe(0);
    for (const part of ['regrouping', 'membership', 'attribute', 'sizes', 'time', 'a lie: '])
      expect(attacks.filter(({ name }) => name.includes(part)).length, part).toBeGreaterThan(0);
    // secure-aggregation.md §6, on 8 sums of 12 people, of each family; seeds are fixed, and the statistic says how rare guessing is.
    const regrouping = attacks.filter(({ name }) => name.startsWith('regrouping'));
    for (const family of ['mf', 'mlp']) {
      const of = (defence: RegExp) =>
        regrouping.filter(
          ({ name, ...attack }) => name.includes(`(${family}, 12 people)`) && defence.test(attack.defence),
        );
      const [exact, noisy] = [of(/^none$/), of(/the default/)];
      expect([exact.length, noisy.length]).toEqual([1, 1]);
      expect(exact[0]?.value).toBeGreaterThan(0.99);
      expect(noisy[0]?.value).toBeLessThan(0.6);
      for (const { statistic } of [...exact, ...noisy])
        expect(statistic).toMatch(/\d+ rows of 8 sums of 12 people; .*false alarms below 1e-12$/);
    }
  });
});
