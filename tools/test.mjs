#!/usr/bin/env node
/**
 * `npm test`: every check that a fresh machine can run, then one plain closing line, `N passed, N failed`, with
 * `, N skipped` after it where something was skipped.
 *
 *     npm test                        all checks
 *     npm test -- --only protocol     only the tests in files whose path holds "protocol"
 *
 * What counts as one check: types, lint and format of the tree, the build of a project, a documentation page, a
 * package's surface, a vitest test.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plainEnvironment, run } from './lib/run.mjs';
import { packages } from './lib/workspace.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MINUTE = 60_000;
const bin = (name) => join(ROOT, 'node_modules', '.bin', name);

/** Where a test needs one of these and it is missing, the test skips here and fails in CI, which installs them. */
const CI_MUST_HAVE = /^needs (chromium|redis|postgresql|root)/i;

const total = { passed: 0, failed: [], skipped: [] };
const add = (counts) => {
  total.passed += counts.passed;
  total.failed.push(...counts.failed);
  total.skipped.push(...(counts.skipped ?? []));
};

/**
 * Types and lint are checked in one pass over the whole tree, which takes a third of the time that one pass a project does.
 * The rule on the floors of the house needs the graph that Nx keeps ({@link graph}), and passes silently without one.
 */
async function wholeTree(name, command, args) {
  const { code, output } = await run(bin(command), args, {
    cwd: ROOT,
    env: plainEnvironment(),
    limitMs: 5 * MINUTE,
    quiet: true,
  });
  return code === 0 && !output.includes('The rule will be skipped')
    ? { passed: 1, failed: [], output }
    : { passed: 0, failed: [`${name} (exit ${code})`], output };
}

/** Has Nx make its graph of the projects. */
const graph = () =>
  run(bin('nx'), ['show', 'projects'], {
    cwd: ROOT,
    env: plainEnvironment(),
    limitMs: MINUTE,
    quiet: true,
  });

/** The build of each project that has one is one check. */
async function builds() {
  const expected = packages(ROOT)
    .filter(({ json }) => json.scripts?.build)
    .map(({ name }) => `${name}:build`);
  const skipCache = process.env.CI === 'true' ? ['--skip-nx-cache'] : [];
  const args = ['run-many', '-t', 'build', '--parallel=2', '--output-style=static', ...skipCache];
  const { code, output } = await run(bin('nx'), args, {
    cwd: ROOT,
    env: plainEnvironment(),
    limitMs: 5 * MINUTE,
  });
  const failed = expected.filter((task) => output.includes(`\n- ${task}\n`));
  if (code !== 0 && failed.length === 0) failed.push(`nx run-many (exit ${code})`);
  return { passed: Math.max(0, expected.length - failed.length), failed };
}

/** One of our own tools: it prints its findings and ends on a JSON line `{ passed, failed }`. */
async function tool(file) {
  const { code, output } = await run('node', [join('tools', file), '--json'], {
    cwd: ROOT,
    env: plainEnvironment(),
    limitMs: 3 * MINUTE,
    quiet: true,
  });
  const lines = output.trimEnd().split('\n');
  try {
    return { ...JSON.parse(lines.at(-1)), output: lines.slice(0, -1).join('\n') };
  } catch {
    return { passed: 0, failed: [`tools/${file} (exit ${code})`], output };
  }
}

async function tests(only) {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-test-'));
  const file = join(folder, 'counts.json');
  try {
    const args = [
      'run',
      '--config=tools/vitest.config.mjs',
      '--root=.',
      '--pool=forks',
      '--maxWorkers=2',
      '--reporter=default',
      '--reporter=./tools/count-reporter.mjs',
    ];
    const env = plainEnvironment({ TUTTI_COUNTS: file });
    const { code } = await run(bin('vitest'), [...args, ...only], { cwd: ROOT, env, limitMs: 30 * MINUTE });
    const counts = readCounts(file);
    if (counts.passed + counts.failed.length + counts.skipped.length === 0)
      counts.failed.push('vitest ran no test');
    if (code !== 0 && counts.failed.length === 0) counts.failed.push(`vitest (exit ${code})`);
    return refuseMissingInCi(counts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: ['vitest gave no results'], skipped: [] };
  }
}

function refuseMissingInCi(counts) {
  if (process.env.CI !== 'true') return counts;
  const missing = counts.skipped.filter(({ reason }) => CI_MUST_HAVE.test(reason));
  return {
    passed: counts.passed,
    failed: [...counts.failed, ...missing.map(({ name, reason }) => `${name} (${reason}; CI must have it)`)],
    skipped: counts.skipped.filter((test) => !missing.includes(test)),
  };
}

async function step(name, check) {
  console.log(`\n=== ${name}`);
  const start = performance.now();
  try {
    const counts = await check();
    add(counts);
    if (counts.output) console.log(counts.output.trimEnd());
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(`=== ${name}: ${counts.passed} passed, ${counts.failed.length} failed, ${seconds} s`);
  } catch (error) {
    add({ passed: 0, failed: [`${name}: ${error instanceof Error ? error.message : String(error)}`] });
  }
}

function close() {
  console.log('');
  if (total.skipped.length > 0) {
    console.log(`SKIPPED, ${total.skipped.length} not run on this machine:`);
    for (const { name, reason } of total.skipped) console.log(`  ${reason}: ${name}`);
  }
  if (total.failed.length > 0) {
    console.log('FAILED:');
    for (const name of total.failed) console.log(`  ${name}`);
  }
  const skipped = total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : '';
  process.exitCode = total.failed.length > 0 ? 1 : 0;
  console.log(`${total.passed} passed, ${total.failed.length} failed${skipped}`);
}

const at = process.argv.indexOf('--only');
const only = at === -1 ? [] : process.argv.slice(at + 1);
if (at === -1) {
  // Lint takes one core as long as all the others together take the other one.
  const lint = graph().then(() => wholeTree('lint', 'eslint', ['.']));
  await step('build of every project', builds);
  await step('types', () => wholeTree('types', 'tsc', ['-p', 'tsconfig.json']));
  await step('documentation', () => tool('check-docs.mjs'));
  await step('public surface', () => tool('check-packages.mjs'));
  await step('format (npx prettier --write .)', () => wholeTree('format', 'prettier', ['--check', '.']));
  await step('lint', () => lint);
}
await step('tests', () => tests(only));
close();
