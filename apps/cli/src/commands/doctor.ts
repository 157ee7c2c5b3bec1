import { Command } from 'commander';
import { ConfigError } from '@tutti/server';
import { readConfig } from '../coordinator/read-config.ts';
import { judgeMachine, judgeRedis, judgeSeen, judgeTokens, type Finding } from '../doctor/findings.ts';
import { lookAt } from '../doctor/look.ts';
import { lookAtMachine, lookAtTokens } from '../doctor/machine.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { httpUrl } from '../parse.ts';

interface DoctorFlags {
  coordinator?: string;
  config?: string;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti doctor --coordinator https://fl.example.org           from where clients are: address, TLS, clock, proxy, socket, tasks
  tutti doctor --config tutti.config.json                     where the coordinator runs: configuration, disk, store, tokens
  tutti doctor --config tutti.config.json --coordinator http://localhost:4170 --json`;

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check a deployment, and say what to do')
    .option('--coordinator <url>', 'address of the coordinator, as clients have it', httpUrl)
    .option('--config <file>', 'its configuration, on the machine that it runs on')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: DoctorFlags) => runDoctor(flags));
}

async function runDoctor({ coordinator, config, json }: DoctorFlags): Promise<void> {
  if (coordinator === undefined && config === undefined)
    throw new CommandError('Say what to check: --coordinator URL, --config FILE, or both.');
  const findings = [
    ...(config === undefined ? [] : await checkConfig(config)),
    ...(coordinator === undefined ? [] : judgeSeen(await lookAt(coordinator), Date.now())),
  ];
  const isWell = findings.every(({ state }) => state === 'ok' || state === 'warning');
  process.stdout.write(json === true ? `${JSON.stringify({ ok: isWell, findings })}\n` : linesOf(findings));
  if (!isWell) process.exitCode = EXIT.failed;
}

async function checkConfig(file: string): Promise<Finding[]> {
  try {
    const { config } = await readConfig({ file, environment: process.env, options: [], everyTask: [] });
    const found: Finding = { check: 'configuration', state: 'ok', found: `${file} can be run` };
    const redis =
      config.cluster === undefined ? [] : [judgeRedis(await problemOfRedis(config.cluster.redis))];
    const tokens = judgeTokens(lookAtTokens(config.tokens));
    return [found, ...judgeMachine(await lookAtMachine(config.store)), tokens, ...redis];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => ({
      ...{ check: 'configuration', state: 'failed' as const, found: problem },
      next: 'Mend it; --print-config shows where each value comes from.',
    }));
  }
}

/** Why the processes of a cluster cannot reach each other; undefined where they can. */
async function problemOfRedis(url: string): Promise<string | undefined> {
  const { reachRedis } = await import('@tutti/cluster-redis');
  try {
    await reachRedis(url);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const SIGNS = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ', 'not-checked': '–      ' } as const;

function linesOf(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings
    .map(({ check, state, found, next }) => {
      const line = `${SIGNS[state]}  ${check.padEnd(width)}  ${found}\n`;
      return next === undefined ? line : `${line}${' '.repeat(11 + width)}→ ${next}\n`;
    })
    .join('');
}
