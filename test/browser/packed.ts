import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build as viteBuild } from 'vite';
import webpack from 'webpack';
import type { Bundle } from './chromium.ts';

/** A small site as somebody outside this repository builds it: with the packages as they are published, and a bundler's own defaults. */

const PACKAGES = fileURLToPath(new URL('../../packages/', import.meta.url));

/** Ignored by git, and within the repository, so that packages of others are found in its `node_modules`. */
const SITES = fileURLToPath(new URL('../../test-artefacts/sites/', import.meta.url));

const PAGE = `import { openRecommender } from '@tutti/client-browser';
import { defineReceiptsElement } from '@tutti/client-browser/receipts';
defineReceiptsElement();
Object.assign(globalThis, { sdk: { openRecommender }, loaded: true, __name: (named) => named });
`;
const HTML =
  '<!doctype html><html lang="en"><title>site</title><script type="module" src="./page.js"></script>';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Puts what `npm pack` would take of a package, and of what it needs of ours, into a site's own `node_modules`. */
function install(name: string, site: string): void {
  const from = join(PACKAGES, name.replace('@tutti/', ''));
  const to = join(site, 'node_modules', name);
  if (existsSync(to)) return;
  if (!existsSync(join(from, 'dist/index.js')))
    throw new Error(`${name} is not built: npx nx run-many -t build`);
  mkdirSync(to, { recursive: true });
  cpSync(join(from, 'package.json'), join(to, 'package.json'));
  cpSync(join(from, 'dist'), join(to, 'dist'), { recursive: true });
  const { dependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as Manifest;
  for (const other of Object.keys(dependencies)) if (other.startsWith('@tutti/')) install(other, site);
}

/** A folder with the page and the packages in it. */
function openSource(name: string): string {
  const folder = join(SITES, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  install('@tutti/client-browser', folder);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'page.js'), PAGE);
  writeFileSync(join(folder, 'index.html'), HTML);
  return folder;
}

/** Every file below a folder, at its path. */
function filesOf(folder: string): Bundle[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: `/${relative(folder, path)}`, text: readFileSync(path, 'utf8') }));
}

/** The site as `vite build` makes it. */
export async function builtByVite(): Promise<Bundle[]> {
  const root = openSource('vite');
  await viteBuild({ root, logLevel: 'error', configFile: false });
  return filesOf(join(root, 'dist'));
}

/** The site as webpack makes it. */
export async function builtByWebpack(): Promise<Bundle[]> {
  const context = openSource('webpack');
  const path = join(context, 'dist');
  const compiler = webpack({
    context,
    entry: './page.js',
    mode: 'production',
    // Minifying is what takes the time, and changes nothing that is looked for.
    optimization: { minimize: false },
    output: { path, publicPath: '/', filename: 'page.js' },
  });
  const stats = await promisify<webpack.Stats | undefined>(compiler.run.bind(compiler))();
  const { errors = [], warnings = [] } = stats?.toJson({ errors: true, warnings: true }) ?? {};
  const problems = [...errors, ...warnings].filter(({ message }) => !/size limit|performance/.test(message));
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('\n'));
  return [...filesOf(path), { path: '/index.html', text: HTML }];
}

/** The complete files of the package, without a bundler. */
export function unbundled(): Bundle[] {
  const require = createRequire(import.meta.url);
  const folder = join(require.resolve('@tutti/client-browser/package.json'), '../dist/bundle');
  if (!existsSync(folder)) throw new Error('@tutti/client-browser is not built: npx nx run-many -t build');
  const page = PAGE.replace(/'@tutti\/client-browser'/, "'./index.js'").replace(
    /'@tutti\/client-browser\/receipts'/,
    "'./receipts-element.js'",
  );
  return [...filesOf(folder), { path: '/page.js', text: page }, { path: '/index.html', text: HTML }];
}
