#!/usr/bin/env node
/**
 * Compiles rounding.ts to WebAssembly with AssemblyScript and writes it in hexadecimal to src/rounding-wasm.gen.ts. The result is in
 * the repository, so that neither `npm ci` nor an app needs the compiler; `--check` fails where it is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const source = fileURLToPath(new URL('rounding.ts', import.meta.url));
const target = fileURLToPath(new URL('../src/rounding-wasm.gen.ts', import.meta.url));

/** The module's bytes. @throws where it does not compile. */
export async function compile() {
  let bytes;
  const { error, stderr } = await asc.main(
    [
      'rounding.ts',
      '--outFile=rounding.wasm',
      '-O3',
      '--enable=simd',
      '--enable=bulk-memory',
      '--enable=mutable-globals',
      '--runtime=stub',
      '--initialMemory=2',
      '--maximumMemory=2',
      '--noAssert',
    ],
    {
      readFile: (name) => (name === 'rounding.ts' ? readFileSync(source, 'utf8') : null),
      writeFile: (name, content) => void (name === 'rounding.wasm' && (bytes = content)),
      listFiles: () => [],
    },
  );
  if (error) throw new Error(`assembly/rounding.ts does not compile: ${stderr.toString()}`, { cause: error });
  return bytes;
}

/** In hexadecimal, of which gzip leaves a quarter less than of base64: bytes stay whole. */
const generated = (bytes) =>
  `/** Made by assembly/build.mjs from assembly/rounding.ts: ${bytes.length} bytes of WebAssembly. Do not edit. */\n` +
  `export const ROUNDING_WASM =\n  '${Buffer.from(bytes).toString('hex')}';\n`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const content = generated(await compile());
  if (!process.argv.includes('--check')) writeFileSync(target, content);
  else if (readFileSync(target, 'utf8') !== content) {
    console.error('src/rounding-wasm.gen.ts is out of date: npm run build:wasm -w packages/aggregation');
    process.exitCode = 1;
  }
}
