import { describe, expect, it } from 'vitest';
import { buildProgram, COMMAND_NAMES } from './cli.ts';

const lines = (program: Awaited<ReturnType<typeof buildProgram>>) =>
  program.commands.map((command) => [command.name(), command.description()]);

describe('the help of the whole', () => {
  it('says of each command what the command says of itself', async () => {
    expect(lines(await buildProgram([]))).toEqual(lines(await buildProgram(COMMAND_NAMES)));
  });

  it('loads the commands that are named, and no others', async () => {
    const program = await buildProgram(['privacy', '--help']);
    const loaded = program.commands.filter(({ options }) => options.length > 0);
    expect(loaded.map((command) => command.name())).toEqual(['privacy']);
  });
});
