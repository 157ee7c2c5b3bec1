import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { CommandError } from '../exit-codes.ts';
import { httpUrl } from '../parse.ts';

/** Options of every command that asks a coordinator for something. */
export interface AdminFlags {
  readonly coordinator: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** A command with those options. @param needs the role that its token needs; none where everybody may. */
export function adminCommand(name: string, description: string, needs?: 'read' | 'operate'): Command {
  const command = new Command(name)
    .description(needs === undefined ? description : `${description} (token: ${needs})`)
    .addOption(
      new Option('--coordinator <url>', 'address of the coordinator')
        .argParser(httpUrl)
        .default('http://localhost:4170')
        .env('TUTTI_COORDINATOR'),
    )
    .option('--json', 'JSON on stdout');
  if (needs !== undefined)
    command
      .addOption(
        new Option('--token <token>', 'a token; others on this machine may see it here').env('TUTTI_TOKEN'),
      )
      .option('--token-file <file>', 'a file that holds the token');
  return command.showSuggestionAfterError(true).exitOverride();
}

/** The token that the flags or the environment give. @throws {CommandError} that says how to give one. */
export async function tokenOf({ token, tokenFile }: AdminFlags): Promise<string> {
  if (tokenFile !== undefined) return fileToken(tokenFile);
  if (token !== undefined) return token.trim();
  throw new CommandError(
    'This needs a token: set TUTTI_TOKEN, or --token-file FILE. Where the coordinator runs, tutti token create makes one.',
  );
}

async function fileToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new CommandError(
      `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? ''}`,
      undefined,
      {
        cause,
      },
    );
  }
}
