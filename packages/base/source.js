/**
 * Runs this workspace from its TypeScript sources: tsx strips the types, and the resolve hook adds the export
 * condition `@tutti/source`, so that a fresh checkout needs no build step. Child processes and worker threads load it
 * with `--import`. Published packages hold `dist` and never load this file.
 */
import { register } from 'node:module';
import { register as registerTsx } from 'tsx/esm/api';

registerTsx();
register(
  `data:text/javascript,${encodeURIComponent(
    `export const resolve = (specifier, context, next) => next(specifier, { ...context, conditions: [...new Set([...context.conditions, '@tutti/source'])] });`,
  )}`,
);
