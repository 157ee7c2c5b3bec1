import { spawn } from 'node:child_process';

/**
 * Starts a process that appends to the journal of `films` and says so after each entry, lets it run, and kills it.
 * @param module source that declares the `place` to write to; it may import packages of this workspace.
 * @param entries how many it acknowledges before it is killed, at least; a slow machine does not make them fewer.
 * @returns the last acknowledged length; 0 where there was none.
 */
export async function writeAndKill(module: string, entries: number): Promise<number> {
  const script = `
    ${module}
    const { store } = await place.open();
    let length = (await store.readJournal('films')).length;
    for (;;) {
      await store.appendJournal('films', length, [{ v: 1, type: 'task-created', atMs: length, layoutHash: 'a'.repeat(64), catalogueHash: 'b'.repeat(64), modelHash: 'c'.repeat(64) }]);
      console.log(++length);
    }`;
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('@tutti/base/source'), '--input-type=module', '-e', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const written = new Promise<void>((resolve) =>
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.split('\n').length - 1 >= entries) resolve();
    }),
  );
  await Promise.race([written, ended]);
  child.kill('SIGKILL');
  await ended;
  // What stands behind the last line break may be half a number.
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n');
  return Number(lines.filter((line) => /^\d+$/.test(line)).at(-1) ?? 0);
}
