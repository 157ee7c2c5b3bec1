import {
  authorityPublicKey,
  authoritySecret,
  authorityService,
  initAuthority,
  openAuthority,
} from '@tutti/authority';
import { DEFAULT_DAYS, MOST_DAYS } from '@tutti/identity';
import { Command, Option } from 'commander';
import { toHex } from '@tutti/base';
import { clientIdsFrom, enrolInBatches } from '../authority/batch.ts';
import { verifyLog } from '../authority/verify.ts';
import { CommandError } from '../exit-codes.ts';
import { clientIds, httpUrl, publicKey, wholeNumber } from '../parse.ts';
import { abortOnSignals } from '../signals.ts';

const EXAMPLES = `
Examples:
  tutti authority init                              a new authority: its key stays in ./.tutti-authority
  tutti authority issue --client-id 0011…eeff       one token
  tutti authority serve --port 4171                 a service that the app's login back end asks for tokens
  tutti authority verify --url https://id.example.org --public-key 3b6a… --json

The authority says which clients are devices of people. Run it beside your login, and never where the coordinator runs: whoever
is both can invent a cohort around one person. docs/identity.md says more.`;

const DATA_DIR = './.tutti-authority';

/** Options that several of the sub-commands have. */
const dataDir = (): Option => new Option('--data-dir <dir>', 'the folder of the authority').default(DATA_DIR);
const days = (): Option =>
  new Option('--days <n>', 'days that a token holds')
    .argParser(wholeNumber(1, MOST_DAYS))
    .default(DEFAULT_DAYS);
const json = (): Option => new Option('--json', 'one JSON object on stdout');

const print = (text: string): void => void process.stdout.write(`${text}\n`);

export function authorityCommand(): Command {
  const command = new Command('authority')
    .description('enrolment tokens, from an authority apart from the coordinator')
    .addHelpText('after', EXAMPLES);
  for (const sub of [init(), showKey(), issue(), serve(), verify()])
    command.addCommand(sub.showSuggestionAfterError(true).exitOverride());
  return command;
}

function init(): Command {
  return new Command('init')
    .description('make a new authority: a signing key, and a secret for its service')
    .addOption(dataDir())
    .addOption(json())
    .addHelpText(
      'after',
      `
Examples:
  tutti authority init
  tutti authority init --data-dir /var/lib/tutti-authority --json    { folder, publicKey }`,
    )
    .action((flags: { dataDir: string; json?: boolean }) => {
      const key = initAuthority(flags.dataDir);
      if (flags.json === true) return print(JSON.stringify({ folder: flags.dataDir, publicKey: key }));
      print(`public key  ${key}`);
      print(`            pin it in the app (policy.authorities), and name it in the coordinator's file`);
      print(
        `folder      ${flags.dataDir}: key and secret, readable by you alone. Keep a copy of the key elsewhere.`,
      );
    });
}

function showKey(): Command {
  return new Command('public-key')
    .description('the key that apps pin and coordinators name')
    .addOption(dataDir())
    .addOption(json())
    .addHelpText(
      'after',
      `
Examples:
  tutti authority public-key
  tutti authority public-key --json    { publicKey }`,
    )
    .action((flags: { dataDir: string; json?: boolean }) => {
      const key = authorityPublicKey(flags.dataDir);
      print(flags.json === true ? JSON.stringify({ publicKey: key }) : key);
    });
}

interface IssueFlags {
  clientId: string[];
  from?: string;
  days: number;
  dataDir: string;
  json?: boolean;
}

function issue(): Command {
  return new Command('issue')
    .description('enrol clients, or renew their tokens')
    .addOption(
      new Option('--client-id <id...>', 'clients to enrol: 32 hexadecimal digits each')
        .argParser(clientIds)
        .default([], 'none'),
    )
    .option('--from <file>', 'client ids from a file, one a line (-: from stdin)')
    .addOption(days())
    .addOption(dataDir())
    .addOption(json())
    .addHelpText(
      'after',
      `
Examples:
  tutti authority issue --client-id 00112233445566778899aabbccddeeff --days 30
  tutti authority issue --from new-clients.txt > tokens.txt    a line for each: client id and token
  tutti authority issue --from - --json                        { tokens: [{ clientId, token, expiresAt, logIndex }] }`,
    )
    .action((flags: IssueFlags) => runIssue(flags));
}

async function runIssue(flags: IssueFlags): Promise<void> {
  if (flags.clientId.length === 0 && flags.from === undefined)
    throw new CommandError('Say whom to enrol: --client-id ID, or --from FILE.');
  const ids = flags.clientId.concat(flags.from === undefined ? [] : await clientIdsFrom(flags.from));
  const authority = await openAuthority(flags.dataDir, { days: flags.days });
  try {
    const enrolments = await enrolInBatches(authority, ids);
    const tokens = enrolments.map((enrolment) => ({ ...enrolment, token: toHex(enrolment.token) }));
    if (flags.json === true) print(JSON.stringify({ tokens }));
    else for (const { clientId, token } of tokens) print(`${clientId} ${token}`);
  } finally {
    await authority.close();
  }
}

interface ServeFlags {
  port: number;
  host: string;
  days: number;
  dataDir: string;
  json?: boolean;
}

function serve(): Command {
  return new Command('serve')
    .description('answer an app’s back end with tokens, and everybody with the log')
    .addOption(
      new Option('--port <n>', 'port to listen on (0 takes a free one)')
        .argParser(wholeNumber(0, 65_535))
        .default(4_171),
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .addOption(days())
    .addOption(dataDir())
    .option('--json', 'events as JSON lines on stdout')
    .addHelpText(
      'after',
      `
Examples:
  tutti authority serve
  tutti authority serve --host 0.0.0.0 --port 8081 --json    { type: "listening", url, publicKey, entries }

A token, for who knows the secret in the folder's file "secret":
  curl -H "Authorization: Bearer $(cat .tutti-authority/secret)" -H "Content-Type: application/json" \\
    -d '{"clientId":"00112233445566778899aabbccddeeff"}' http://localhost:4171/v1/tokens`,
    )
    .action((flags: ServeFlags) => runServe(flags));
}

async function runServe(flags: ServeFlags): Promise<void> {
  const signal = abortOnSignals();
  const secret = authoritySecret(flags.dataDir);
  const authority = await openAuthority(flags.dataDir, { days: flags.days });
  const service = authorityService({ authority, secret });
  try {
    const url = await service.listen(flags);
    const key = authorityPublicKey(flags.dataDir);
    const entries = authority.head()?.size ?? 0;
    if (flags.json === true) print(JSON.stringify({ type: 'listening', url, publicKey: key, entries }));
    process.stderr.write(`authority ${key}\nat ${url}, ${entries} clients in its log; Ctrl-C stops it\n`);
    if (!signal.aborted)
      await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
  } finally {
    await service.close();
  }
}

interface VerifyFlags {
  url: string;
  publicKey: string;
  state?: string;
  json?: boolean;
}

function verify(): Command {
  return new Command('verify')
    .description('read an authority’s whole log, and check that it only grew since the last time')
    .requiredOption('--url <url>', 'address of the authority', httpUrl)
    .requiredOption('--public-key <key>', 'its public key, from where you trust it', publicKey)
    .option('--state <file>', 'the last head is kept here, and compared with')
    .addOption(json())
    .addHelpText(
      'after',
      `
Examples:
  tutti authority verify --url https://id.example.org --public-key 3b6a…
  tutti authority verify --url https://id.example.org --public-key 3b6a… --state head.json --json
      { size, root, before, added }

Run it every day, from a place that neither the authority nor the coordinator controls. Exit code 1: the log was forged, forked
or cut. A number of new clients that no sign-up explains is what to ask the authority about.`,
    )
    .action(async (flags: VerifyFlags) => {
      const { head, before } = await verifyLog(flags);
      const added = head.size - (before ?? 0);
      if (flags.json === true)
        return print(JSON.stringify({ size: head.size, root: head.root, before: before ?? null, added }));
      print(
        `${head.size} clients in the log, ${added} more than ${before === undefined ? 'nothing: this is the first look' : 'the last time'}`,
      );
      print(`root ${head.root}`);
    });
}
