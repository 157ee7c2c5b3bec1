import { given, keepLocal } from '@tutti/base';
import type { LocalUpdate } from './types.ts';

/** A copy of an update, which the model's next call leaves alone. */
export function keptUpdate(update: LocalUpdate): LocalUpdate {
  const { delta, ranges, touchedRows } = update;
  return {
    ...update,
    ...given({ ranges: ranges && keepLocal(ranges.slice()) }),
    delta: delta.slice(),
    touchedRows: keepLocal(touchedRows.slice()),
  };
}
