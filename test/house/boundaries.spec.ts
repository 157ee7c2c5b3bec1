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

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a tool of this workspace from its root. */
function run(tool: 'nx' | 'eslint', args: readonly string[]): Promise<Ended> {
  const kept = Object.entries(process.env).filter(
    ([key]) => !/^(NX_|VITEST|NODE_OPTIONS$|NODE_ENV$)/.test(key),
  );
  const env = { ...Object.fromEntries(kept), NX_DAEMON: 'false', NX_TUI: 'false', NO_COLOR: '1' };
  return new Promise((resolve) => {
    execFile(
      join(ROOT, 'node_modules/.bin', tool),
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

/** A file of `folder` that imports the room `imported`. @returns its path. */
function probe(folder: string, imported: string): string {
  const file = join(ROOT, folder, 'src', PROBE);
  probes.add(file);
  writeFileSync(file, `import * as room from '${imported}';\nexport const probe = room;\n`);
  return file;
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
      // The rule goes by the graph that Nx keeps, and is silent without one. It is made before there are probes in it.
      expect((await run('nx', ['show', 'projects'])).output).toContain('@tutti/base');
      const above = probe('packages/base', '@tutti/evaluation');
      const beside = probe('packages/evaluation', '@tutti/privacy');
      const { code, output } = await run('eslint', [above, beside]);
      expect(code).toBe(1);
      for (const file of [above, beside]) expect(output).toContain(file);
      expect(output.match(/@nx\/enforce-module-boundaries/g)?.length).toBeGreaterThanOrEqual(2);
    },
  );
});
