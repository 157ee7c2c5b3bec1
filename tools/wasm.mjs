/**
 * Compiles AssemblyScript beside a package and writes the module into the package's sources as text, as `fromPackedText` of @tutti/base
 * reads it. What comes out is in the repository, so that neither `npm ci` nor an app needs the compiler; with `--check` it fails where
 * what is there is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import '@tutti/base/source';
import asc from 'assemblyscript/asc';

const { packedText } = await import('@tutti/base');

/**
 * @param {object} options
 * @param {string} options.folder URL of the folder with the sources.
 * @param {string} options.entry file in it that exports what the module exports.
 * @param {string} options.target URL of the file to write.
 * @param {string} options.name of the constant in it.
 * @param {readonly string[]} options.memory what the compiler is told of the module's memory.
 * @param {string} [options.optimize] how far it optimizes, for speed or size.
 * @param {Readonly<Record<string, string>>} [options.instead] files that stand in for others of the folder.
 */
export async function wasm({ folder, entry, target, name, memory, optimize = '-O3', instead = {} }) {
  const bytes = await compiled({ folder, entry, memory, optimize, instead });
  const file = fileURLToPath(target);
  const header = `/** Made by assembly/build.mjs from assembly/: ${bytes.length} bytes of WebAssembly. Do not edit. */`;
  const content = `${header}\nexport const ${name} =\n  '${packedText(bytes)}';\n`;
  if (!process.argv.includes('--check')) writeFileSync(file, content);
  else if (readFileSync(file, 'utf8') !== content) {
    console.error(`src/${basename(file)} is out of date: npm run build:wasm in its package`);
    process.exitCode = 1;
  }
}

async function compiled({ folder, entry, memory, optimize, instead }) {
  const output = 'module.wasm';
  let bytes;
  const { error, stderr } = await asc.main(
    [
      entry,
      `--outFile=${output}`,
      optimize,
      '--enable=simd',
      '--enable=bulk-memory',
      '--enable=mutable-globals',
      '--runtime=stub',
      '--noAssert',
      ...memory,
    ],
    {
      readFile(file) {
        const url = new URL(instead[file] ?? file, folder);
        return existsSync(url) ? readFileSync(url, 'utf8') : null;
      },
      writeFile: (file, content) => void (file === output && (bytes = content)),
      listFiles: () => [],
    },
  );
  if (error) throw new Error(`assembly/${entry} does not compile: ${stderr.toString()}`, { cause: error });
  return bytes;
}
