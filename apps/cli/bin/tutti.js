#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/main.js', import.meta.url);
const source = new URL('../src/main.ts', import.meta.url);
if (existsSync(fileURLToPath(source))) {
  await import('@tutti/base/source');
  await import(source.href);
} else {
  await import(built.href);
}
