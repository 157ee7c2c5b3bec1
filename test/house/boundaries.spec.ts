import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FLOORS = ['base', 'ground', 'protocol', 'engine', 'runtime', 'app', 'test'];

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly nx: { readonly tags: readonly string[] };
}

const manifests = ['packages', 'apps']
  .flatMap((parent) => readdirSync(join(ROOT, parent)).map((name) => join(ROOT, parent, name)))
  .concat(join(ROOT, 'test'))
  .map((folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest);

const floorOf = (name: string): number => {
  const tags = manifests.find((manifest) => manifest.name === name)?.nx.tags ?? [];
  return FLOORS.findIndex((floor) => tags.includes(`floor:${floor}`));
};

interface LintRun {
  readonly code: number;
  readonly output: string;
}

/** `nx lint` as a developer runs it; npm test lints the whole tree at once, once Nx has made its graph. */
function lint(projects: string): Promise<LintRun> {
  const kept = Object.entries(process.env).filter(
    ([key]) => !/^(NX_|VITEST|NODE_OPTIONS$|NODE_ENV$)/.test(key),
  );
  const env = { ...Object.fromEntries(kept), NX_DAEMON: 'false', NX_TUI: 'false', NO_COLOR: '1' };
  const args = ['run-many', '-t', 'lint', '-p', projects, '--skip-nx-cache', '--output-style=static'];
  return new Promise((resolve) => {
    execFile(
      join(ROOT, 'node_modules/.bin/nx'),
      args,
      { cwd: ROOT, env, timeout: 110_000 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : 1, output: stdout + stderr });
      },
    );
  });
}

const PROBE = 'boundary-probe.ts';
const probes = new Set<string>();
afterEach(() => {
  for (const file of probes) rmSync(file, { force: true });
  probes.clear();
});

function probe(folder: string, imported: string): void {
  const file = join(ROOT, folder, 'src', PROBE);
  probes.add(file);
  writeFileSync(file, `import * as room from '${imported}';\nexport const probe = room;\n`);
}

describe('floors', () => {
  it('every room has exactly one floor, and depends only on floors below its own', () => {
    for (const { name, dependencies, nx } of manifests) {
      expect(nx.tags.filter((tag) => tag.startsWith('floor:'))).toHaveLength(1);
      for (const dependency of Object.keys(dependencies ?? {}).filter((key) => key.startsWith('@tutti/'))) {
        expect(floorOf(dependency), `${name} depends on ${dependency}`).toBeLessThan(floorOf(name));
        expect(floorOf(dependency)).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it(
    'lint refuses an import from a floor above, and one from a room on the same floor',
    { timeout: 240_000 },
    async () => {
      probe('packages/base', '@tutti/evaluation');
      probe('packages/evaluation', '@tutti/privacy');
      const { code, output } = await lint('@tutti/base,@tutti/evaluation');
      expect(code).toBe(1);
      for (const room of ['base', 'evaluation']) expect(output).toContain(`packages/${room}/src/${PROBE}`);
      expect(output.match(/@nx\/enforce-module-boundaries/g)?.length).toBeGreaterThanOrEqual(2);
    },
  );
});
