/** Writes what each command's --help prints into docs/cli.md, in place of what stands there: `npm run docs:cli`. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const page = fileURLToPath(new URL('../docs/cli.md', import.meta.url));
const bin = fileURLToPath(new URL('../apps/cli/bin/tutti.js', import.meta.url));
const env = { ...process.env, COLUMNS: '80', NO_COLOR: '1' };

const help = (command) =>
  execFileSync(process.execPath, [bin, ...command.split(' '), '--help'], { encoding: 'utf8', env }).trim();

const shown = /^Usage: tutti ([a-z-]+(?: [a-z-]+)*) \[[^]*?(?=\n```$)/gm;
writeFileSync(
  page,
  readFileSync(page, 'utf8').replace(shown, (_, command) => help(command)),
);
