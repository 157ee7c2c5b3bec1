import { Command, Option } from 'commander';
import { MODEL_FAMILIES } from '@tutti/model';
import { engineOptions } from '../engine-options.ts';
import { CommandError } from '../exit-codes.ts';
import { realNumber, wholeNumber } from '../parse.ts';
import { runStart } from '../start/run.ts';
import type { StartFlags } from '../start/run.ts';
import { START_MECHANISMS } from '../start/settings.ts';

const EXAMPLES = `
Examples:
  npm start                                        the whole thing, about two minutes
  npm start -- --clients 600 --processes 4         more people
  npm start -- --model mf                          implicit matrix factorisation
  npm start -- --dataset ml-100k --clients 400     real data (its first 400 people)
  npm start -- --keep                              leave coordinator and clients running
  npm start -- --fresh                             forget what .tutti holds and start over`;

export function startCommand(): Command {
  return new Command('start')
    .description('a whole federation on this machine: a coordinator, many real clients, encrypted rounds')
    .option(
      '--clients <n>',
      'people, each a real client with a socket, an identity and a store',
      wholeNumber(16, 100_000),
    )
    .option('--processes <n>', 'processes that host the clients', wholeNumber(1, 64), 2)
    .option('--rounds <n>', 'updates of the shared model', wholeNumber(1, 1_000_000))
    .option('--cohort <n>', 'clients a round', wholeNumber(16, 10_000))
    .addOption(new Option('--model <family>', 'model family').choices([...MODEL_FAMILIES]).default('mlp'))
    .option('--dataset <folder>', 'real data in place of the built-in shelf')
    .option('--seed <n>', 'seed of the built-in data and of the first model', wholeNumber(0), 1)
    .option('--port <n>', 'port of the coordinator (0 takes a free one)', wholeNumber(0, 65_535), 4_170)
    .option('--data-dir <dir>', 'where everything is kept', '.tutti')
    .option('--no-noise', 'no noise on the sum; docs/threat-model.md says what that leaks')
    .addOption(
      new Option('--epsilon <x>', 'enough noise for this differential-privacy budget over all rounds')
        .argParser(realNumber(0.01, 1_000))
        .conflicts('noise'),
    )
    .option('--delta <d>', 'δ of the budget', realNumber(1e-15, 0.5), 1e-5)
    .addOption(
      new Option('--mechanism <name>', 'how noise is added: by the devices, or by a trusted coordinator')
        .choices(START_MECHANISMS)
        .default('skellam'),
    )
    .option(
      '--adaptive-clip <γ>',
      'let the clipping norm follow this quantile of the updates',
      realNumber(0.01, 0.99),
    )
    .addOption(engineOptions()[0])
    .addOption(engineOptions()[1])
    .option('--keep', 'stay up after the rounds, until Ctrl-C')
    .option('--fresh', 'forget what the folder holds and start over')
    .option('--json', 'one JSON object on stdout; progress goes to stderr')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: StartFlags) => {
      if (flags.mechanism !== 'skellam' && flags.epsilon === undefined)
        throw new CommandError(`--mechanism ${flags.mechanism} needs an --epsilon to find its noise for.`);
      await runStart(flags);
    });
}
