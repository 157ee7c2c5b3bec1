import { writeFileSync } from 'node:fs';

/**
 * A vitest reporter that writes what happened to every test as JSON, for `tools/test.mjs` to add up:
 * `{ passed, failed: [name], skipped: [{ name, reason }] }`. A file that does not load, and an error outside every
 * test, count as one failure each.
 */
export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors, reason) {
    const counts = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      for (const test of module.children.allTests()) count(counts, module, test);
      const ownErrors = module.errors().length + suiteErrors(module);
      if (ownErrors > 0) counts.failed.push(`${module.relativeModuleId} (${ownErrors} outside its tests)`);
    }
    for (const error of unhandledErrors)
      counts.failed.push(`unhandled: ${String(error.message).split('\n')[0]}`);
    if (reason === 'interrupted') counts.failed.push('vitest was interrupted');
    writeFileSync(process.env.TUTTI_COUNTS, JSON.stringify(counts));
  }
}

function count(counts, module, test) {
  const name = `${module.relativeModuleId} > ${test.fullName}`;
  const result = test.result();
  if (result.state === 'passed') counts.passed += 1;
  else if (result.state === 'failed') counts.failed.push(name);
  else counts.skipped.push({ name, reason: result.note ?? 'no reason given' });
}

function suiteErrors(module) {
  let errors = 0;
  for (const suite of module.children.allSuites()) errors += suite.errors().length;
  return errors;
}
