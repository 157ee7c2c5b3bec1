import { parseArgs } from 'node:util';
import { FederatedError } from '@tutti/base';
import { abortOnSignals, INTERRUPTED } from '@tutti/base/node';
import type { RoundRecord } from '@tutti/coordination';
import { PortTakenError } from '@tutti/server';
import { aborted } from './aborted.ts';
import { DEFAULTS, openDemo, type Demo } from './demo.ts';
import { SitePortTakenError } from './site.ts';

const HELP = `npm run demo: a film shelf to try, with a coordinator and a background population, on this machine

Options (after --):
  --port <n>   port of the page; the coordinator takes the one after it (default ${DEFAULTS.port}; 0 takes two free ones)
  --help       this

Examples:
  npm run demo
  npm run demo -- --port 5000

Everything is kept in memory and gone with Ctrl-C; what your browser keeps, its "Forget me" removes.
`;

const LARGEST_PORT = 65_534;

/** Ports further on that are named where one is taken. */
const NEXT_PORTS = 10;

/** Runs the demo until it is interrupted. @returns the exit code. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const line = (text = ''): void => void process.stdout.write(`${text}\n`);
  const asked = read(args);
  if (typeof asked === 'string') {
    process.stderr.write(`demo: ${asked}\n(npm run demo -- --help shows what there is)\n`);
    return 2;
  }
  if (asked.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const signal = abortOnSignals();
  line('Tutti demo · a film shelf in your browser, a coordinator and a population on this machine');
  let demo: Demo | undefined;
  try {
    demo = await openDemo({ port: asked.port, signal, onStep: (doing) => line(`${doing} …`) });
    for (const text of introduction(demo)) line(text);
    const unsubscribe = demo.coordination.subscribe((event) => {
      if (event.type === 'committed') line(roundLine(event.record));
      if (event.type === 'aborted') line(`  an attempt came to nothing: ${event.reason}`);
    });
    await Promise.race([aborted(signal), demo.failed]).finally(unsubscribe);
    line('\nstopping …');
    return INTERRUPTED;
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    process.stderr.write(`demo: ${problemOf(error)}\n`);
    return 1;
  } finally {
    await demo?.close();
  }
}

function read(args: readonly string[]): { readonly port: number; readonly help: boolean } | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { port: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
    });
    const port = values.port === undefined ? DEFAULTS.port : Number(values.port);
    const isPort = Number.isInteger(port) && port >= 0 && port <= LARGEST_PORT;
    if (!isPort || values.port === '')
      return `--port is ${values.port ?? ''}; a whole number from 0 to ${LARGEST_PORT} is needed`;
    return { port, help: values.help };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function introduction({ url, coordinatorUrl, people, cohort }: Demo): string[] {
  return [
    `population: ${people} simulated people, each a real client with a socket, an identity and a store in memory`,
    `privacy: secure aggregation, cohorts of ${cohort}, and the default noise; only masked sums are ever read`,
    '',
    `  the film shelf   ${url}`,
    `  the coordinator  ${coordinatorUrl}`,
    '',
    'Rounds begin when you open the film shelf. Ctrl-C stops everything; nothing is left behind.',
    '',
  ];
}

/** A committed round in a line. */
export function roundLine({ round, reported, cohort, durationMs, metrics }: RoundRecord): string {
  const lost = cohort > reported ? `, ${cohort - reported} lost` : '';
  const quality = metrics.hr10 === null ? '' : ` · HR@10 of this cohort ${metrics.hr10.toFixed(2)}`;
  return `  round ${round}: ${reported} devices in the sum${lost} · ${(durationMs / 1_000).toFixed(1)} s${quality}`;
}

function problemOf(error: unknown): string {
  if (error instanceof SitePortTakenError || error instanceof PortTakenError) {
    const page = error instanceof SitePortTakenError ? error.port : error.port - 1;
    const whose =
      error instanceof SitePortTakenError ? '' : ' (the coordinator needs the one after the page’s)';
    return `Port ${error.port} is taken${whose}. Use another: npm run demo -- --port ${page + NEXT_PORTS}, or stop the program that has it.`;
  }
  return error instanceof FederatedError || !(error instanceof Error)
    ? String((error as Error).message)
    : (error.stack ?? error.message);
}
