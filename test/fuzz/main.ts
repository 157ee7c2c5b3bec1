import { parseArgs } from 'node:util';
import { leaveNothing } from '../chaos/leaving.ts';
import { held, runFuzz } from './fuzz.ts';

/** `npm run fuzz -- --messages 100000 --json`: see fuzz.ts. Exit code 1 on a crash, a status from 500 on, or growth of memory. */
const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
leaveNothing();
const result = await runFuzz({
  messages: Number(values.messages),
  seed: Number(values.seed),
  onProgress: (sent) => process.stderr.write(`${sent} of ${values.messages}\n`),
});
const { messages, crashes, serverErrors, rssStartMB, rssEndMB, seconds } = result;
const summary = `${messages} messages: ${crashes} crashes, ${serverErrors} server errors, ${rssStartMB.toFixed(0)} MB, then ${rssEndMB.toFixed(0)} MB (${seconds.toFixed(0)} s)`;
process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `${summary}\n`);
process.exit(held(result) ? 0 : 1);
