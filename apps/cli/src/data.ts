import { DecodeError } from '@tutti/base';
import { generateFilmShelf, type SplitDataset } from '@tutti/datasets';
import { loadDataset } from '@tutti/datasets/node';
import { CommandError, EXIT } from './exit-codes.ts';

/** Which data a command works on: the user's folder, or the built-in synthetic shelf. */
export interface DataChoice {
  readonly dataset?: string;
  readonly seed: number;
  readonly users?: number;
  readonly items?: number;
}

/** People on the built-in shelf when no other number is asked for. */
export const DEFAULT_PEOPLE = 240;

/** Films on the built-in shelf. */
export const DEFAULT_FILMS = 400;

/** Loads the folder, or generates the built-in data (synthetic, seeded). */
export async function openData(choice: DataChoice): Promise<SplitDataset> {
  if (choice.dataset !== undefined)
    return loadDataset(choice.dataset, { seed: choice.seed }).catch(wrongFile);
  return generateFilmShelf({
    seed: choice.seed,
    users: choice.users ?? DEFAULT_PEOPLE,
    items: choice.items ?? DEFAULT_FILMS,
  });
}

/** A file of the user's that is not as it must be is theirs to mend, like a wrong option. @throws what it is given. */
export function wrongFile(error: unknown): never {
  if (error instanceof DecodeError) throw new CommandError(error.message, EXIT.usage, { cause: error });
  throw error;
}

/** One line that says what the data is. */
export function describeData(data: SplitDataset, choice: DataChoice): string {
  const source =
    choice.dataset === undefined ? `built-in film shelf (synthetic, seed ${choice.seed})` : data.name;
  const count = (n: number): string => n.toLocaleString('en');
  return `${source}: ${count(data.users)} people, ${count(data.items)} items, ${count(data.interactions)} likes; one item a person held out`;
}
