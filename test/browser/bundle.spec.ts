import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = (file: string): string =>
  fileURLToPath(new URL(`../../packages/client-browser/src/${file}`, import.meta.url));

/**
 * Bytes after gzip. All that there is, each module once, is to be at most 66,560, and 61,440 without the kernel. As files of their own page
 * and worker are a little more, since what both have is packed by itself: that is kept from growing unseen.
 */
const MOST = { page: 8_000, withWorker: 69_200, everything: 66_560, withoutKernel: 61_440 };

/** The SDK as a page loads it: what the page itself needs, and what its worker does. */
async function bundle(): Promise<{ sizes: Map<string, number>; meta: Metafile }> {
  const { outputFiles, metafile } = await build({
    entryPoints: ['index', 'worker', 'worker-without-wasm'].map((name) => source(`${name}.ts`)),
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
    logLevel: 'error',
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

/** What a page loads of these entries, in bytes after gzip. */
const loaded = ({ sizes, meta }: Awaited<ReturnType<typeof bundle>>, ...entries: readonly string[]): number =>
  [...new Set(entries.flatMap((entry) => [...loadedBy(entry, meta)]))].reduce(
    (all, file) => all + (sizes.get(file) ?? 0),
    0,
  );

/** One file with what a page is and what it loads by address, the engine room: the whole of the SDK in the browser, each module once. */
async function everything(external: readonly string[] = []): Promise<number> {
  const { outputFiles } = await build({
    stdin: {
      contents: ['in-page', 'index'].map((name) => `export * from './${name}.ts';`).join(''),
      resolveDir: source(''),
    },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    conditions: ['@tutti/source'],
    external: ['@tensorflow/*', ...external],
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
}

describe('what a page loads', () => {
  it('is little in the page, and 60 KB in all, 65 with the kernel; none of it is TensorFlow.js or a validator', async () => {
    const whole = await bundle();
    const bytes = {
      page: loaded(whole, 'index.js'),
      withWorker: loaded(whole, 'index.js', 'worker.js'),
      everything: await everything(),
      withoutKernel: await everything(['@tutti/engine-simd']),
    };
    console.log(`after gzip, in bytes: ${JSON.stringify(bytes)}`);
    for (const [what, most] of Object.entries(MOST))
      expect(bytes[what as keyof typeof MOST], what).toBeLessThanOrEqual(most);
    const inputs = Object.keys(whole.meta.inputs).join('\n');
    expect(inputs).not.toMatch(/@tensorflow|node_modules\/(zod|socket\.io|tweetnacl)/);
  });

  it('has no kernel or mask stream in TypeScript, and nothing of a TensorFlow.js definition, where WebAssembly runs', async () => {
    const { meta } = await bundle();
    const files = new Set(['index.js', 'worker.js'].flatMap((entry) => [...loadedBy(entry, meta)]));
    const used = Object.entries(meta.outputs)
      .filter(([path]) => files.has(path.slice(path.lastIndexOf('/') + 1)))
      .flatMap(([, { inputs }]) =>
        Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
      );
    expect(used.some((path) => path.endsWith('engine-simd/src/wasm-kernel.ts'))).toBe(true);
    expect(
      used.filter((path) =>
        /model\/src\/(mf|own|tower|tensorflow)\.ts$|typescript-kernel|chacha20\.ts$/.test(path),
      ),
    ).toEqual([]);
  });
});
