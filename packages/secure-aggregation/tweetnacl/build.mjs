#!/usr/bin/env node
/**
 * Takes out of the package tweetnacl what devices use, function by function and word for word, and writes it as a module to
 * src/tweetnacl.gen.ts: the package is one function that no bundler can take apart, and a quarter of it is for other uses. Curves
 * are those of its fast file; secretbox, which seals a few hundred bytes at a time, is that of its small one; the blocks of SHA-512 are
 * src/sha512.ts. The result is in the repository; `--check` fails where it is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const require = createRequire(import.meta.url);
const target = fileURLToPath(new URL('../src/tweetnacl.gen.ts', import.meta.url));

/** What portable-crypto.ts calls, with its type. */
const ROOTS = {
  crypto_hash: '(out: Uint8Array, m: Uint8Array, n: number) => number',
  crypto_sign_keypair: '(pk: Uint8Array, sk: Uint8Array, seeded: boolean) => number',
  crypto_sign: '(sm: Uint8Array, m: Uint8Array, n: number, sk: Uint8Array) => number',
  crypto_sign_open: '(m: Uint8Array, sm: Uint8Array, n: number, pk: Uint8Array) => number',
  crypto_scalarmult: '(q: Uint8Array, n: Uint8Array, p: Uint8Array) => number',
  crypto_scalarmult_base: '(q: Uint8Array, n: Uint8Array) => number',
  crypto_core_hsalsa20: '(out: Uint8Array, inp: Uint8Array, k: Uint8Array, c: Uint8Array) => void',
  crypto_secretbox: '(c: Uint8Array, m: Uint8Array, d: number, n: Uint8Array, k: Uint8Array) => number',
  crypto_secretbox_open: '(m: Uint8Array, c: Uint8Array, d: number, n: Uint8Array, k: Uint8Array) => number',
};

/** Taken from the small file. */
const SMALL = new Set(['crypto_core_hsalsa20', 'crypto_core_salsa20', 'crypto_onetimeauth']);

/** Not taken, but ours. */
const OWN = new Map([
  ['crypto_hashblocks_hl', `import { hashBlocks as crypto_hashblocks_hl } from './sha512.ts';`],
]);

/** The declarations of a file of the package, by name: their text, and the names in it. */
function declarationsOf(file) {
  const source = ts.createSourceFile(
    file,
    readFileSync(require.resolve(`tweetnacl/${file}`), 'utf8'),
    ts.ScriptTarget.ES2022,
    true,
  );
  const found = new Map();
  const add = (name, node, text) => {
    const names = new Set();
    const visit = (child) => {
      if (ts.isIdentifier(child)) names.add(child.text);
      ts.forEachChild(child, visit);
    };
    visit(node);
    found.set(name, { text, names });
  };
  const body = source.statements[0].expression.expression.expression.body;
  for (const statement of body.statements) {
    if (ts.isFunctionDeclaration(statement)) add(statement.name.text, statement, statement.getText());
    else if (ts.isVariableStatement(statement))
      for (const one of statement.declarationList.declarations)
        add(one.name.text, one, `var ${one.getText()};`);
    else if (ts.isExpressionStatement(statement)) {
      // Such as `_9[0] = 9`: what is set after its declaration belongs to it.
      const known = found.get(/^\w+/.exec(statement.getText())?.[0]);
      if (known !== undefined) known.text += `\n${statement.getText()}`;
    }
  }
  return found;
}

/** What the roots need, each before what uses it. */
function extract() {
  const [fast, small] = ['nacl-fast.js', 'nacl.js'].map(declarationsOf);
  const taken = new Map();
  const take = (name) => {
    if (taken.has(name) || OWN.has(name)) return;
    const found = (SMALL.has(name) ? small : fast).get(name) ?? small.get(name);
    if (found === undefined) return;
    taken.set(name, '');
    for (const other of found.names) take(other);
    taken.delete(name);
    taken.set(name, found.text);
  };
  Object.keys(ROOTS).forEach(take);
  return [...taken.values()];
}

const { version } = require('tweetnacl/package.json');
const content = [
  `// @ts-nocheck`,
  `/** Made by tweetnacl/build.mjs from tweetnacl ${version} (public domain), word for word. Do not edit. */`,
  ...OWN.values(),
  ...extract(),
  `export const lowlevel: {\n${Object.entries(ROOTS)
    .map(([name, type]) => `  readonly ${name}: ${type};\n`)
    .join('')}} = { ${Object.keys(ROOTS).join(', ')} };`,
  '',
].join('\n');

if (!process.argv.includes('--check')) writeFileSync(target, content);
else if (readFileSync(target, 'utf8') !== content) {
  console.error(
    'src/tweetnacl.gen.ts is out of date: node tweetnacl/build.mjs in packages/secure-aggregation',
  );
  process.exitCode = 1;
}
