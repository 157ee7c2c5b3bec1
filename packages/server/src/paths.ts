/** Where a value stands in a configuration: `['tasks', 0, 'round', 'cohort']`. */
export type Path = readonly (string | number)[];

/** A path as people read it: `tasks[0].round.cohort`; `config` for the whole. */
export const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  ) || 'config';
