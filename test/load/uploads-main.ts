import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { leaveNothing } from '../chaos/leaving.ts';
import { runUploads } from './uploads.ts';

/**
 * `npm run uploads -- [--gateways] [--devices 128] --rounds 15 --json`: see uploads.ts. Exit code 1 where less is taken in than is asked for.
 * With few devices the end of the phase, which the last acknowledgement waits for, is much of what is measured.
 */
const { values } = parseArgs({
  options: {
    gateways: { type: 'boolean', default: false },
    devices: { type: 'string', default: '128' },
    rounds: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
  },
});
/** Share of bare socket.io that is asked for. */
const LEAST = values.gateways ? 0.7 : 0.8;

leaveNothing();
const result = await runUploads({
  gateways: values.gateways,
  devices: Number(values.devices),
  rounds: Number(values.rounds),
  onRound: (round, tutti, bare) =>
    process.stderr.write(`round ${round}: ${tutti.toFixed(0)} of ${bare.toFixed(0)} MB/s\n`),
});
if (typeof result === 'string') throw new Error(result);
const { tutti, bare, share, cpuShare } = result;
const row = (name: string, of: typeof tutti, digits = 0): string =>
  `| ${name} | ${of.median.toFixed(digits)} | ${of.least.toFixed(digits)} – ${of.most.toFixed(digits)} |`;
process.stdout.write(
  values.json
    ? `${JSON.stringify(result)}\n`
    : [
        `${result.devices} devices upload ${result.megabytesARound.toFixed(1)} MB a round, ${result.rounds} rounds, every sum right`,
        `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}`,
        ...['', '| | median MB/s | spread |', '| --- | --: | --- |'],
        row(values.gateways ? 'two gateways, an owner, Redis' : 'Tutti', tutti),
        row(`bare socket.io${values.gateways ? ', two processes' : ''}`, bare),
        row('share', share, 2),
        row('share by processor time', cpuShare, 2),
        '',
      ].join('\n'),
);
process.exit(share.median >= LEAST ? 0 : 1);
