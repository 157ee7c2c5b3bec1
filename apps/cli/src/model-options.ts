import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  ACTIVATIONS,
  MF_LOSSES,
  TOWER_LOSSES,
  TOWER_OPTIMIZERS,
  type ModelFamily,
  type ModelInput,
} from '@tutti/model';
import { realNumber, wholeNumber, wholeNumbers } from './parse.ts';

/** What a command line says of a model, its family aside. */
export interface ModelFlags {
  readonly dimension?: number;
  readonly hidden?: number[];
  readonly proximal?: number;
  readonly loss?: string;
  readonly optimizer?: string;
  readonly activation?: string;
  readonly unitDropout?: number;
  readonly patience?: number;
  readonly set?: Readonly<Record<string, number>>;
}

const LOSSES = [...new Set([...MF_LOSSES, ...TOWER_LOSSES])];

/** The options that describe a model. Which of them a family has, its configuration says, which names what is wrong. */
const modelOptions = (): Option[] => [
  new Option('--dimension <n>', 'length of a person’s and an item’s vector').argParser(wholeNumber(1, 512)),
  new Option('--hidden <n,n>', 'sizes of the hidden layers (mlp, neumf)').argParser(wholeNumbers(1, 1_024)),
  new Option(
    '--loss <name>',
    'what is made small: implicit (mf), bce (the neural families), bpr, or mse for ratings',
  ).choices(LOSSES),
  new Option('--optimizer <name>', 'how clients of the neural families step (default: sgd)').choices(
    TOWER_OPTIMIZERS,
  ),
  new Option('--activation <name>', 'of hidden units (default: relu)').choices(ACTIVATIONS),
  new Option('--unit-dropout <p>', 'share of hidden units that are silent in a training step').argParser(
    realNumber(0, 0.9),
  ),
  new Option(
    '--patience <n>',
    'end a client’s training after n epochs without gain on its own validation item (of 5 epochs, or --set epochs)',
  ).argParser(wholeNumber(0, 100)),
  new Option(
    '--set <field=x>',
    'any other number of the model, such as epochs=3, l2=0.1, negatives=8, unobservedWeight=0.2; may be repeated',
  ).argParser(fieldValue),
];

/** Adds them to a command; `conflicts` names an option that says all of it already. */
export function addModelOptions(command: Command, conflicts?: string): Command {
  for (const option of modelOptions())
    command.addOption(conflicts === undefined ? option : option.conflicts(conflicts));
  return command;
}

/** Fields of a model that `--set` has no part in. */
const OWN_OPTIONS: Readonly<Record<string, string>> = {
  family: '--model',
  dimension: '--dimension',
  hidden: '--hidden',
  proximal: '--proximal',
  loss: '--loss',
  optimizer: '--optimizer',
  activation: '--activation',
  dropout: '--unit-dropout',
  patience: '--patience',
};

function fieldValue(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [, name, value] = /^([a-zA-Z0-9]+)=(.+)$/.exec(text) ?? [];
  const number = Number(value);
  const option = OWN_OPTIONS[name ?? ''];
  if (option !== undefined) throw new InvalidArgumentError(`${name} has an option of its own: ${option}.`);
  if (name === undefined || value === undefined || value.trim() === '' || !Number.isFinite(number))
    throw new InvalidArgumentError('A field and a number are expected, such as epochs=3.');
  return { ...before, [name]: number };
}

/** The model that a command line asks for. */
export function modelInputOf(family: ModelFamily, flags: ModelFlags): ModelInput {
  const { dimension, hidden, proximal, loss, optimizer, activation, unitDropout, patience, set } = flags;
  const named = { dimension, hidden, proximal, loss, optimizer, activation, dropout: unitDropout, patience };
  const given = Object.entries({ ...set, ...named }).filter(([, value]) => value !== undefined);
  return { family, ...Object.fromEntries(given) };
}
