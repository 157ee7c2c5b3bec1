import { InvalidArgumentError, Option } from 'commander';
import { REFERENCE_NAMES, type ReferenceName } from './references.ts';

/** Names between commas, each a reference. */
function referenceNames(text: string): ReferenceName[] {
  const names = text.split(',').map((part) => part.trim());
  const found = REFERENCE_NAMES.filter((name) => names.includes(name));
  const unknown = names.find((name) => !REFERENCE_NAMES.some((known) => known === name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`Names from ${REFERENCE_NAMES.join(', ')} are expected, between commas.`);
  return found;
}

/** `--against` and `--report`, which `evaluate` and `bench-quality` share. */
export function qualityOptions(): [Option, Option] {
  return [
    new Option('--against <names>', 'what to hold it against')
      .argParser(referenceNames)
      .default([...REFERENCE_NAMES], REFERENCE_NAMES.join(',')),
    new Option('--report <file>', 'write one HTML page with plots there; it opens offline'),
  ];
}
