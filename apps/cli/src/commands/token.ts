import { createToken, readTokenFile, revokeToken, ROLES, type Role } from '@tutti/server';
import { Command, Option } from 'commander';
import { readConfig } from '../coordinator/read-config.ts';
import { CommandError } from '../exit-codes.ts';

const EXAMPLES = `
Examples:
  tutti token create --role operate --name ada --config tutti.config.json
  tutti token list --config tutti.config.json
  tutti token revoke ada --config tutti.config.json

A token is shown once; what is kept is its hash, in the file that "tokens" of the configuration names. A coordinator that runs reads
the file again when it changes: new tokens hold at once, and revoked ones no longer.`;

interface TokenFlags {
  readonly config?: string;
  readonly tokens?: string;
  readonly json?: boolean;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const tokenSub = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .option('--config <file>', 'configuration of the coordinator; its "tokens" names the file')
    .addOption(new Option('--tokens <file>', 'the file itself').conflicts('config'))
    .option('--json', 'one JSON object on stdout')
    .showSuggestionAfterError(true)
    .exitOverride();

export function tokenCommand(): Command {
  const command = new Command('token')
    .description('tokens of those who may operate a coordinator')
    .addHelpText('after', EXAMPLES);
  for (const sub of [create(), list(), revoke()]) command.addCommand(sub);
  return command;
}

function create(): Command {
  return tokenSub('create', 'make a token, and show it once')
    .addOption(
      new Option('--role <role>', 'read: the log; operate: that, and changing what runs')
        .choices([...ROLES])
        .makeOptionMandatory(),
    )
    .requiredOption('--name <name>', 'whose it is: a-z, 0-9 and "-"; it stands in the log and the journal')
    .addHelpText(
      'after',
      `
Examples:
  tutti token create --role operate --name ada --config tutti.config.json
  tutti token create --role read --name board --tokens tokens.json > board.token`,
    )
    .action(async (flags: TokenFlags & { role: Role; name: string }) => {
      const { role, name } = flags;
      const file = await fileOf(flags);
      const token = createToken(file, { role, name });
      if (flags.json === true) return print(JSON.stringify({ name, role, token }));
      print(token);
      process.stderr.write(
        `This is shown once: ${file} holds no more than its hash. Give it to tutti as TUTTI_TOKEN, or in a file (--token-file).\n`,
      );
    });
}

function list(): Command {
  return tokenSub('list', 'whose tokens there are')
    .addHelpText(
      'after',
      `
Examples:
  tutti token list --config tutti.config.json
  tutti token list --config tutti.config.json --json    { tokens: [{ name, role, createdAt }] }`,
    )
    .action(async (flags: TokenFlags) => {
      const tokens = readTokenFile(await fileOf(flags)).map(({ name, role, createdAt }) => ({
        ...{ name, role, createdAt },
      }));
      if (flags.json === true) return print(JSON.stringify({ tokens }));
      if (tokens.length === 0) return print('there is no token; tutti token create makes one');
      for (const { name, role, createdAt } of tokens) print(`${role.padEnd(7)}  ${name}  since ${createdAt}`);
    });
}

function revoke(): Command {
  return tokenSub('revoke', 'take a token back; it no longer holds from now on')
    .argument('<name>', 'whose it is')
    .addHelpText(
      'after',
      `
Examples:
  tutti token revoke ada --config tutti.config.json`,
    )
    .action(async (name: string, flags: TokenFlags) => {
      revokeToken(await fileOf(flags), name);
      if (flags.json === true) print(JSON.stringify({ revoked: name }));
      else print(`the token ${name} no longer holds`);
    });
}

/** The file of tokens. @throws {CommandError} that says how to name one. */
async function fileOf({ config: file, tokens }: TokenFlags): Promise<string> {
  if (tokens !== undefined) return tokens;
  if (file === undefined) throw new CommandError('Say which coordinator: --config FILE, or --tokens FILE.');
  const { config } = await readConfig({ file, environment: process.env, options: [], everyTask: [] });
  if (config.tokens !== undefined) return config.tokens;
  throw new CommandError(
    `${file} names no file of tokens: write "tokens": "tokens.json" into it, start the coordinator again, and come back.`,
  );
}
