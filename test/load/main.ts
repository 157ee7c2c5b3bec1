import { parseArgs } from 'node:util';
import { leaveNothing } from '../chaos/leaving.ts';
import { runLoad } from './load.ts';

/** `npm run load -- --resting 4800 --half-open 10000 --json`: see load.ts. Each connection is a file descriptor here too (`ulimit -n`). */
const { values } = parseArgs({
  options: {
    cohort: { type: 'string', default: '200' },
    resting: { type: 'string', default: '4800' },
    'half-open': { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
});
leaveNothing();
const result = await runLoad({
  cohort: Number(values.cohort),
  resting: Number(values.resting),
  halfOpen: Number(values['half-open']),
  rounds: Number(values.rounds),
  onStep: (step) => process.stderr.write(`${step}\n`),
});
const { roundSeconds, fewestReported, memory, ended } = result;
const row = (name: string, key: keyof typeof roundSeconds): string =>
  `${name}: ${roundSeconds[key].toFixed(2)} s a round, ${fewestReported[key]} reported in the smallest`;
process.stdout.write(
  values.json
    ? `${JSON.stringify(result)}\n`
    : [
        row(`${result.cohort} clients alone`, 'alone'),
        row(`among ${result.resting} sockets at rest`, 'amongResting'),
        row(`among ${result.halfOpen} half-open connections too`, 'amongHalfOpen'),
        `${memory.kBEachResting.toFixed(1)} kB each at rest; ${memory.aloneMB.toFixed(0)} MB alone, ${memory.restingMB.toFixed(0)} with them, ${memory.halfOpenPeakMB.toFixed(0)} at most, ${memory.afterMB.toFixed(0)} in the end`,
        `${ended} of ${result.halfOpen} were ended by the coordinator, the last after ${result.endedAfterSeconds.toFixed(0)} s`,
        '',
      ].join('\n'),
);
process.exit(ended === result.halfOpen ? 0 : 1);
