import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Which files of the same project each file imports, types too. */
function importsOf(folder: string): Map<string, readonly string[]> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !/\.spec\.tsx?$/.test(name))
    .map((name) => join(folder, name));
  return new Map(
    files.map((file) => {
      const found = readFileSync(file, 'utf8').matchAll(/\bfrom '(\.[^']+)'/g);
      return [file, [...found].map(([, to]) => join(dirname(file), to as string))];
    }),
  );
}

/** A way from a file back to itself; undefined where there is none. */
function circleIn(imports: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (file: string): readonly string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return undefined;
    way.push(file);
    for (const next of imports.get(file) ?? []) {
      const circle = visit(next);
      if (circle !== undefined) return circle;
    }
    way.pop();
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const circle = visit(file);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

const projects = ['packages', 'apps'].flatMap((room) =>
  readdirSync(join(ROOT, room)).map((name) => join(ROOT, room, name, 'src')),
);

describe('files that import each other', () => {
  it('are found, types too', () => {
    const around = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', []],
      ['d', ['b']],
    ]);
    expect(circleIn(around)).toEqual(['b', 'd', 'b']);
  });

  it.each(projects.map((folder) => [relative(ROOT, folder), folder]))('are none in %s', (_, folder) => {
    const imports = importsOf(folder);
    expect(imports.size).toBeGreaterThan(0);
    expect(circleIn(imports)?.map((file) => relative(ROOT, file))).toBeUndefined();
  });
});
