import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FENCE = '```';

let folder = '';
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the documentation check on pages with these texts; gives back its exit code, what it says, and the pages' paths. */
function check(texts: readonly string[]): Promise<{ code: number; output: string; pages: string[] }> {
  mkdirSync(join(ROOT, '.nx'), { recursive: true });
  folder = mkdtempSync(join(ROOT, '.nx', 'docs-'));
  const pages = texts.map((text, at) => {
    const page = join(folder, `page-${at}.md`);
    writeFileSync(page, text);
    return relative(ROOT, page);
  });
  return new Promise((resolve) => {
    execFile(process.execPath, ['tools/check-docs.mjs', ...pages], { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr, pages });
    });
  });
}

const WRONG = [
  ['code that does not compile', `${FENCE}ts\nconst a: number = 'text';\n${FENCE}`, "2: Type 'string'"],
  [
    'a name that a package does not export',
    `${FENCE}ts\nimport { nothing } from '@tutti/base';\n${FENCE}`,
    'no exported member',
  ],
  [
    'an unchecked block without a reason',
    `${FENCE}ts no-check\nfoo\n${FENCE}`,
    'opens with "// not checked: reason"',
  ],
  ['JSON that does not parse', `${FENCE}json\n{a}\n${FENCE}`, 'does not parse'],
  ['a script that does not exist', `${FENCE}sh\nnpm run nonsense\n${FENCE}`, 'no script "nonsense"'],
  ['a link that leads nowhere', '[a](nowhere.md)', 'leads nowhere'],
  ['an anchor that does not exist', '# A\n[a](#b)', 'no heading #b'],
] as const;

describe('the documentation check', () => {
  it('takes a page whose code compiles and whose links lead somewhere', async () => {
    const { code, output } = await check([
      `# A page\n[here](#a-page) [out](https://example.org)\n${FENCE}ts\nimport { toHex } from '@tutti/base';\nawait Promise.resolve(toHex(Uint8Array.of(1)));\n${FENCE}\n`,
    ]);
    expect(output).toContain('1 passed, 0 failed');
    expect(code).toBe(0);
  });

  it('refuses each page that is wrong for what is wrong in it', async () => {
    const { code, output, pages } = await check(WRONG.map(([, text]) => text));
    for (const [at, [name, , problem]] of WRONG.entries()) {
      const said = output.split('\n').filter((line) => line.startsWith(`${pages[at]}:`));
      expect(said, name).toEqual([expect.stringContaining(problem)]);
    }
    expect(output).toContain(`0 passed, ${WRONG.length} failed`);
    expect(code).toBe(1);
  });
});
