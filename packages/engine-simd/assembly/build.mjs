#!/usr/bin/env node
/**
 * Compiles the files beside it to WebAssembly with AssemblyScript and writes the module in hexadecimal to
 * src/kernel-wasm.gen.ts. The result is in the repository, so that neither `npm ci` nor an app needs the compiler; `--check`
 * fails where it is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = new URL('./', import.meta.url);
const target = fileURLToPath(new URL('../src/kernel-wasm.gen.ts', import.meta.url));
const OUTPUT = 'kernel.wasm';

/** The module's bytes. @throws where it does not compile. */
export async function compile() {
  let bytes;
  const { error, stderr } = await asc.main(
    [
      'index.ts',
      `--outFile=${OUTPUT}`,
      '-O3',
      '--enable=simd',
      '--enable=bulk-memory',
      '--enable=mutable-globals',
      '--runtime=stub',
      '--importMemory',
      '--noAssert',
    ],
    {
      readFile: (name) => {
        const file = new URL(name, folder);
        return existsSync(file) ? readFileSync(file, 'utf8') : null;
      },
      writeFile: (name, content) => void (name === OUTPUT && (bytes = content)),
      listFiles: () => [],
    },
  );
  if (error) throw new Error(`assembly does not compile: ${stderr.toString()}`, { cause: error });
  return bytes;
}

/** In hexadecimal, of which gzip leaves a quarter less than of base64: bytes stay whole. */
const generated = (bytes) =>
  `/** Made by assembly/build.mjs from assembly/*.ts: ${bytes.length} bytes of WebAssembly. Do not edit. */\n` +
  `export const KERNEL_WASM =\n  '${Buffer.from(bytes).toString('hex')}';\n`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const content = generated(await compile());
  if (!process.argv.includes('--check')) writeFileSync(target, content);
  else if (readFileSync(target, 'utf8') !== content) {
    console.error('src/kernel-wasm.gen.ts is out of date: npm run build:wasm -w packages/engine-simd');
    process.exitCode = 1;
  }
}
