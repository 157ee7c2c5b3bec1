/** The `tutti` command as a library call: what `npx tutti` runs. */
export { buildProgram, runCli } from './cli.ts';
export { EXIT } from './exit-codes.ts';
