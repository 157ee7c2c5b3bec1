import { Option } from 'commander';
import { wholeNumber } from './parse.ts';

/** Options of the built-in data, which every command that takes a data set instead has alike. */
export const peopleOption = (): Option =>
  new Option('--users <n>', 'people of the built-in data')
    .argParser(wholeNumber(16, 1_000_000))
    .conflicts('dataset');

export const itemsOption = (): Option =>
  new Option('--items <n>', 'items of the built-in data')
    .argParser(wholeNumber(110, 1_000_000))
    .conflicts('dataset');
