import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every workspace package: its name, its folder relative to `root`, its package.json. */
export function packages(root) {
  const folders = ['packages', 'apps'].flatMap((parent) =>
    existsSync(join(root, parent)) ? readdirSync(join(root, parent)).map((name) => join(parent, name)) : [],
  );
  return [...folders, 'test']
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => {
      const json = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      return { name: json.name, folder, json };
    });
}

/** Files of the tree that git tracks or would track, relative to `root`. */
export function treeFiles(root) {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  });
  return listed
    .toString()
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));
}

/** Prints findings and the closing line of a tool; with `--json`, the counts as the last line instead. */
export function report({ passed, failed, findings }) {
  for (const finding of findings) console.log(finding);
  if (process.argv.includes('--json')) console.log(JSON.stringify({ passed, failed }));
  else console.log(`${passed} passed, ${failed.length} failed`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
