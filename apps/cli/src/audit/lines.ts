import { isAsDocumented, type AttackResult } from '@tutti/audit';
import { cellsLine, headingLine, type Column } from '../ui/table.ts';

const COLUMNS: readonly Column[] = [
  { heading: 'attack', width: 74 },
  { heading: 'defence', width: 62 },
  { heading: 'value', width: 6, align: 'right' },
  { heading: 'bound', width: 7, align: 'right' },
  { heading: 'verdict', width: 8 },
];

/** What all refusals of lies have in common: they stand in one line. */
const LIE = 'a lie: ';

/** The table for people. Lies that were refused are one line; one that was not has its own. */
export function auditLines(attacks: readonly AttackResult[]): string[] {
  const lies = attacks.filter(({ name }) => name.startsWith(LIE));
  const refused = lies.filter((lie) => isAsDocumented([lie]));
  const shown = attacks.filter((attack) => !refused.includes(attack));
  const refusals = cellsLine(COLUMNS, [
    `lies of a coordinator (${lies.length}; --json names each)`,
    'each refused for its own reason, or without effect',
    String(lies.length - refused.length),
    '≤ 0',
    lies.length === refused.length ? 'defended' : 'broken',
  ]);
  return [
    headingLine(COLUMNS),
    ...shown.map(lineOf),
    ...(lies.length > 0 ? [refusals] : []),
    '',
    summaryOf(attacks),
  ];
}

function lineOf({ name, defence, value, bound, verdict }: AttackResult): string {
  const sign = verdict === 'exposed' || verdict === 'blunt' ? '≥' : '≤';
  return cellsLine(COLUMNS, [name, defence, figure(value), `${sign} ${figure(bound)}`, verdict]);
}

function summaryOf(attacks: readonly AttackResult[]): string {
  const wrong = attacks.filter((attack) => !isAsDocumented([attack]));
  return wrong.length === 0
    ? `every verdict is as documented (${attacks.length})`
    : `NOT as documented: ${wrong.map(({ name, statistic }) => `${name} (${statistic})`).join('; ')}`;
}

export const figure = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(3));
