#!/usr/bin/env node
/**
 * Checks the documentation: every block tagged ```ts compiles against the workspace, every ```json block parses,
 * every relative link and anchor leads somewhere, and every `npm run` script that a page names exists. It reads
 * README.md and the other root pages, docs/, the packages' READMEs, and the examples in the doc comments of each
 * src/index.ts.
 *
 * Each block is a module of its own, compiled with the strict settings of the workspace. A block that cannot be
 * compiled is tagged ```ts no-check and says why on its first line: `// not checked: reason`.
 *
 *     node tools/check-docs.mjs              the whole documentation
 *     node tools/check-docs.mjs docs/cli.md  these pages only
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { anchorsOf, fencedBlocks, linksOf, uncommented } from './lib/markdown.mjs';
import { report, treeFiles } from './lib/workspace.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE =
  /^(?:[^/]+\.md|docs\/(?!api\/).*\.md|(?:packages|apps)\/[^/]+\/README\.md|test\/(?:.*\/)?README\.md)$/;
const INDEX = /^(?:packages|apps)\/[^/]+\/src\/index\.ts$/;

const scripts = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts;
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const files = named.length > 0 ? named : treeFiles(ROOT);
const pages = named.length > 0 ? named : files.filter((file) => PAGE.test(file));
const indexes = files.filter((file) => INDEX.test(file));
const texts = new Map([
  ...pages.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]),
  ...indexes.map((file) => [file, uncommented(readFileSync(join(ROOT, file), 'utf8'))]),
]);

/** Problems by file, each `line: text`. */
const problems = new Map([...texts.keys()].map((file) => [file, []]));
const say = (file, line, text) => problems.get(file).push(`${line}: ${text}`);

const modules = new Map();
for (const [file, text] of texts) {
  for (const block of fencedBlocks(text)) checkBlock(file, block);
  if (pages.includes(file)) checkLinks(file, text);
}
compile();

const findings = [...problems].flatMap(([file, list]) => list.map((problem) => `${file}:${problem}`));
const bad = [...problems].filter(([, list]) => list.length > 0).map(([file]) => `documentation: ${file}`);
findings.push(`${pages.length} pages and ${indexes.length} index files, ${modules.size} blocks compiled`);
report({ passed: problems.size - bad.length, failed: bad, findings });

function checkBlock(file, { language, tags, code, line }) {
  if (language === 'ts' && tags.includes('no-check')) {
    if (!/^\/\/ not checked: \S/.test(code))
      say(file, line, 'a ```ts no-check block opens with "// not checked: reason"');
  } else if (language === 'ts') {
    const name = join(ROOT, `${file}.line${line}.ts`);
    modules.set(name, { file, line, code: `${code}\nexport {};\n` });
  } else if (language === 'json') {
    try {
      JSON.parse(code);
    } catch (error) {
      say(file, line, `this JSON does not parse: ${error.message}`);
    }
  } else if (language === 'sh') {
    for (const [, script] of code.matchAll(/\bnpm run ([\w:-]+)/g)) {
      if (scripts[script] === undefined) say(file, line, `there is no script "${script}" in package.json`);
    }
  }
}

function checkLinks(file, text) {
  for (const { target, line } of linksOf(text)) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) continue;
    const [path, anchor] = target.split('#');
    const full = path === '' ? join(ROOT, file) : resolve(ROOT, dirname(file), decodeURIComponent(path));
    if (relative(ROOT, full).startsWith('..')) say(file, line, `the link ${target} leaves the repository`);
    else if (!existsSync(full)) say(file, line, `the link ${target} leads nowhere`);
    else if (anchor && statSync(full).isFile() && !anchorsOf(readFileSync(full, 'utf8')).has(anchor)) {
      say(file, line, `${path === '' ? 'this page' : path} has no heading #${anchor}`);
    }
  }
}

/** Compiles all blocks in one program; the blocks exist in memory only, beside the page they stand in. */
function compile() {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.base.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [] }, ts.sys, ROOT);
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => modules.has(resolve(name)) || fileExists(name);
  host.readFile = (name) => modules.get(resolve(name))?.code ?? readFile(name);
  host.getSourceFile = (name, languageVersion, ...rest) => {
    const block = modules.get(resolve(name));
    if (block === undefined) return getSourceFile(name, languageVersion, ...rest);
    return ts.createSourceFile(name, block.code, languageVersion, true);
  };
  const program = ts.createProgram(
    [...modules.keys()],
    { ...options, noEmit: true, declaration: false, sourceMap: false },
    host,
  );
  for (const [name, { file, line }] of modules) {
    const source = program.getSourceFile(name);
    for (const diagnostic of [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]) {
      const at = source.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line;
      say(file, line + 1 + at, ts.flattenDiagnosticMessageText(diagnostic.messageText, ' '));
    }
  }
}
