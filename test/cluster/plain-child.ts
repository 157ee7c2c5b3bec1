import Module from 'node:module';
import { runCli } from '@tutti/cli';

/**
 * A coordinator, and which of the packages that only a cluster or a database needs were loaded by it; then they are loaded, to see that
 * this would have been seen. Arguments: those of `tutti`, and the address that it will have.
 */
const args = process.argv.slice(2);
const url = args.pop() ?? '';
const done = runCli(args);
while (
  !(await fetch(`${url}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  ))
) {
  await new Promise((resolve) => setTimeout(resolve, 30));
}
const plain = loaded();
await import('@tutti/cluster-redis');
await import('@tutti/storage-postgres');
process.stdout.write(`${JSON.stringify({ plain, later: loaded() })}\n`);
process.kill(process.pid, 'SIGTERM');
process.exit(await done);

/** Of packages that are CommonJS, as these are, Node keeps what it loaded. */
function loaded(): string[] {
  const files = Object.keys((Module as unknown as { _cache: Record<string, unknown> })._cache);
  return ['ioredis', 'bullmq', 'pg'].filter((name) =>
    files.some((file) => file.includes(`/node_modules/${name}/`)),
  );
}
