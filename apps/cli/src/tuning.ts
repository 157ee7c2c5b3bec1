import { Option } from 'commander';
import { tune, type Settings, type SimulationOptions, type Tried, type Tuning } from '@tutti/simulation';
import { wholeNumber } from './parse.ts';
import type { Screen } from './ui/screen.ts';

/** What a command line says of tuning. */
export interface TuneFlags {
  readonly tune?: boolean;
  readonly tuneRounds?: number;
}

/** `--tune` and `--tune-rounds` of `tutti simulate`. */
export function tuningOptions(): [Option, Option] {
  return [
    new Option(
      '--tune',
      'first sweep around the defaults in short federations that are judged by a secure sum over validation items, then run with the best',
    ),
    new Option(
      '--tune-rounds <n>',
      'rounds of each of those federations (default: a fifth of --rounds, at least 10)',
    ).argParser(wholeNumber(1, 1_000_000)),
  ];
}

/** The sweep that is asked for, told on the screen as it goes; nothing where none is. */
export async function sweep(
  options: SimulationOptions,
  { tune: asked, tuneRounds }: TuneFlags,
  screen: Screen,
): Promise<Tuning | undefined> {
  if (asked !== true) return undefined;
  screen.step('tuning on validation items');
  let count = 0;
  const onProgress: SimulationOptions['onProgress'] = ({ done, total, within }) =>
    screen.progress(
      done + within,
      total,
      `candidate ${count + 1}, round ${Math.min(done + 1, total)}/${total}`,
    );
  const tuning = await tune(
    { ...options, onProgress },
    {
      ...(tuneRounds === undefined ? {} : { rounds: tuneRounds }),
      onTried: (tried) => {
        count++;
        screen.line(triedLine(tried));
      },
    },
  );
  for (const line of tuningLines(tuning)) screen.line(line);
  return tuning;
}

/** What a sweep found, in words. */
export function tuningLines({ tried, chosen }: Tuning): string[] {
  const [first] = tried as readonly [Tried];
  const best = tried.find(({ settings }) => settings === chosen) ?? first;
  const ndcg = (one: Tried): string => one.validation.ndcg10.toFixed(4);
  const count = `${tried.length} settings of ${first.rounds} rounds each, on the validation items of ${first.validation.people} people`;
  return [
    best === first
      ? `tuned: nothing ranks better than the defaults (NDCG@10 ${ndcg(first)}) among ${count}`
      : `tuned: ${settingsText(chosen)} (NDCG@10 ${ndcg(best)}; the defaults ${ndcg(first)}) among ${count}`,
  ];
}

const triedLine = ({ settings, validation: { hr10, ndcg10 } }: Tried): string =>
  `  ${settingsText(settings)}: HR@10 ${hr10.toFixed(4)}, NDCG@10 ${ndcg10.toFixed(4)}`;

const settingsText = (settings: Settings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`)
    .join(', ');
