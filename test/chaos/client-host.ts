import { createClient, createSharedEngine } from '@tutti/client-node';

/**
 * A process with many people's devices, which take part until it is killed. It says each round that they were told of, one a line, and
 * a failure of its own on stderr. Arguments: address of the coordinator, folder, number of the first client, clients.
 */
const [url, folder, first, count] = process.argv.slice(2) as [string, string, string, string];
const ITEMS = Array.from({ length: 60 }, (_, item) => `film-${item}`);

const engine = await createSharedEngine({ backend: 'wasm' });
await Promise.all(
  Array.from({ length: Number(count) }, async (_, i) => {
    const number = Number(first) + i;
    const client = await opened(number);
    await client.record(ITEMS.slice(number % 54, (number % 54) + 6).map((item) => ({ item })));
    client.on('round', ({ outcome, round, reason }) => {
      process.stdout.write(`${JSON.stringify({ outcome, round, reason })}\n`);
    });
    await client.participate({ signal: new AbortController().signal });
  }),
);

/** The coordinator may be away at the moment. */
async function opened(number: number): ReturnType<typeof createClient> {
  for (;;) {
    try {
      return await createClient({
        coordinator: url,
        task: 'films',
        store: `${folder}/client-${number}`,
        engine,
        policy: { smallestCohort: 2, insecureSmallCohort: true },
        backOff: { firstMs: 50, mostMs: 400 },
        answerEveryMs: 10,
      });
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}
