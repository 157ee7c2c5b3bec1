import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ATTEMPT_END_REASONS } from '@tutti/coordination';
import { DECLINE_REASONS, WIRE_REFUSALS } from '@tutti/protocol';
import { LIMITS, PARTS } from '@tutti/server';
import { describe, expect, it } from 'vitest';

/** docs/incidents.md has a section for every name that an operator, or a client, is told. */

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

const isDecline: ReadonlySet<string> = new Set(DECLINE_REASONS);
const isRefusal: ReadonlySet<string> = new Set(WIRE_REFUSALS);

describe('every name has its section', () => {
  it.each([
    ['Attempts that ended without a result', ATTEMPT_END_REASONS],
    ['Limits', LIMITS],
    ['Clients that declined', DECLINE_REASONS.filter((name) => !isRefusal.has(name))],
    ['Messages that were refused', WIRE_REFUSALS.filter((name) => !isDecline.has(name))],
    ['What either side refuses', [...isDecline].filter((name) => isRefusal.has(name))],
    ['Parts that failed', PARTS],
    ['What the doctor finds', [...checks]],
  ])('%s', (title, names) => {
    expect(names.length).toBeGreaterThan(5);
    expect([...sectionsOf(title)].sort()).toEqual([...new Set(names)].sort());
  });
});
