import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = (file: string): string =>
  fileURLToPath(new URL(`../../packages/client-browser/src/${file}`, import.meta.url));

/** The SDK as a page loads it: what the page itself needs, and what its worker does. */
async function bundle(): Promise<{ sizes: Map<string, number>; meta: Metafile }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [source('index.ts'), source('worker.ts')],
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: '/sdk',
    format: 'esm',
    platform: 'browser',
    conditions: ['@tutti/source'],
    external: ['@tensorflow/*'],
  });
  const sizes = outputFiles.map(
    ({ path, contents }) =>
      [path.slice(path.lastIndexOf('/') + 1), gzipSync(contents, { level: 9 }).length] as const,
  );
  return { sizes: new Map(sizes), meta: metafile };
}

/** Files that an entry loads before it runs. */
function loadedBy(entry: string, { outputs }: Metafile): Set<string> {
  const name = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
  const byName = new Map(Object.entries(outputs).map(([path, output]) => [name(path), output]));
  const found = new Set<string>();
  const queue = [entry];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const { path, kind } of byName.get(next)?.imports ?? [])
      if (kind === 'import-statement') queue.push(name(path));
  }
  return found;
}

describe('what a page loads', () => {
  it('is little in the page, and no more than it was in all; none of it is TensorFlow.js or a validator', async () => {
    const { sizes, meta } = await bundle();
    const sum = (files: Iterable<string>): number =>
      [...files].reduce((all, file) => all + (sizes.get(file) ?? 0), 0);
    const page = sum(loadedBy('index.js', meta));
    const all = sum(sizes.keys());
    console.log(`the page loads ${page} bytes (gzip), with its worker ${all}`);
    expect(page).toBeLessThan(8_000);
    // The goal is 65 KB with the kernel; this keeps what there is from growing unseen.
    expect(all).toBeLessThan(90_000);
    const inputs = Object.keys(meta.inputs).join('\n');
    expect(inputs).not.toMatch(/@tensorflow|node_modules\/(zod|socket\.io)/);
    const used = Object.values(meta.outputs).flatMap(({ inputs: parts }) =>
      Object.entries(parts).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
    );
    expect(used.filter((path) => /model\/src\/(mf|tower|tensorflow)\.ts$/.test(path))).toEqual([]);
  });
});
