import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ATTEMPT_END_REASONS } from '@tutti/coordination';
import { LIMITS, PARTS } from '@tutti/server';
import { describe, expect, it } from 'vitest';

/** docs/incidents.md has a section for every name that an operator is told. What a peer is refused with is for clients, and not in it. */

const page = readFileSync(fileURLToPath(new URL('../../docs/incidents.md', import.meta.url)), 'utf8');
const source = readFileSync(
  fileURLToPath(new URL('../../apps/cli/src/doctor/findings.ts', import.meta.url)),
  'utf8',
);
const sectionsOf = (title: string): string[] => {
  const [, after = ''] = page.split(`\n## ${title}\n`);
  const [part = ''] = after.split('\n## ');
  return [...part.matchAll(/^### `([\w-]+)`$/gm)].map(([, name = '']) => name);
};
/** Checks of the doctor, out of its source: they are no list there. */
const checks = new Set(
  [...source.matchAll(/\b(?:ok|warning|failed|unlooked)\(\s*'(\w+)'/g)].map(([, name = '']) => name),
);

describe('every name has its section', () => {
  it.each([
    ['Attempts that ended without a result', ATTEMPT_END_REASONS],
    ['Limits', LIMITS],
    ['Parts that failed', PARTS],
    ['What the doctor finds', [...checks]],
  ])('%s', (title, names) => {
    expect(names.length).toBeGreaterThan(5);
    expect([...sectionsOf(title)].sort()).toEqual([...names].sort());
  });
});
