#!/usr/bin/env node
/**
 * Checks what each package shows to the outside, after `nx run-many -t build`: every entry of `exports` has a source,
 * a built file and its types; importing the built file with plain Node works and gives the names that the types
 * declare; what it imports is in its package.json; its folder holds a README; versions agree across the workspace.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packages, report } from './lib/workspace.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const workspace = packages(ROOT).filter(({ json }) => json.private !== true);
const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;
const findings = [];
const failed = [];

for (const entry of workspace) {
  const problems = [...shape(entry), ...exportsOf(entry), ...imports(entry)];
  if (problems.length > 0) failed.push(`public surface: ${entry.name}`);
  findings.push(...problems.map((problem) => `${entry.name}: ${problem}`));
}
report({ passed: workspace.length - failed.length, failed, findings });

function* shape({ folder, json }) {
  if (json.version !== version) yield `version is ${json.version}; the workspace is at ${version}`;
  for (const field of ['description', 'license']) if (!json[field]) yield `package.json has no ${field}`;
  if (json.type !== 'module') yield 'package.json has no "type": "module"';
  if (json.sideEffects !== false) yield 'package.json has no "sideEffects": false';
  if (!existsSync(join(ROOT, folder, 'README.md'))) yield 'there is no README.md';
  for (const [name, range] of Object.entries(json.dependencies ?? {})) {
    if (name.startsWith('@tutti/') && range !== version)
      yield `depends on ${name} ${range}; the workspace is at ${version}`;
    if (!/^\d/.test(range)) yield `depends on ${name} ${range}; an exact version is expected`;
  }
}

function* exportsOf({ name, folder, json }) {
  for (const [path, target] of Object.entries(json.exports ?? {})) {
    if (typeof target === 'string') continue;
    const missing = ['@tutti/source', 'types', 'default'].filter(
      (condition) => !target[condition] || !existsSync(join(ROOT, folder, target[condition])),
    );
    if (missing.length > 0) yield `exports["${path}"]: nothing for ${missing.join(', ')}`;
    else yield* loads(name, path);
  }
}

/** Imports the built entry in a Node of its own, as a program outside the workspace would. */
function* loads(name, path) {
  const specifier = name + path.slice(1);
  // Test helpers (`./testing`) load vitest, which only works inside vitest.
  if (path === './testing') return;
  const code = `import(${JSON.stringify(specifier)}).then((m) => { console.log(Object.keys(m).length); process.exit(0); })`;
  try {
    execFileSync(process.execPath, ['-e', code], { cwd: ROOT, stdio: 'pipe', timeout: 60_000 });
  } catch (error) {
    const reason = String(error.stderr ?? error.message)
      .split('\n')
      .find((line) => /Error/.test(line));
    yield `import('${specifier}') from dist fails: ${reason ?? 'no message'}`;
  }
}

/** Everything a source file imports must be named in package.json; `npm ci` here hoists, elsewhere it may not. */
function* imports({ name, folder, json }) {
  const allowed = new Set([
    name,
    ...Object.keys({ ...json.dependencies, ...json.peerDependencies, ...json.optionalDependencies }),
  ]);
  const development = new Set(Object.keys(json.devDependencies ?? {}));
  for (const file of readdirSync(join(ROOT, folder, 'src'), { recursive: true })) {
    if (!/\.ts$/.test(file) || /\.spec\.ts$/.test(file)) continue;
    const text = readFileSync(join(ROOT, folder, 'src', file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    for (const [, specifier] of text.matchAll(/(?:\bfrom\s+|\bimport\(\s*|\bimport\s+)'([^'.][^']*)'/g)) {
      if (specifier.startsWith('node:')) continue;
      const dependency = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const test =
        /(^|\/)testing/.test(file) &&
        (development.has(dependency) || ['vitest', 'fast-check'].includes(dependency));
      if (!allowed.has(dependency) && !test)
        yield `src/${file} imports ${dependency}, which package.json does not name`;
    }
  }
}
