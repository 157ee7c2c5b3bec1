/** A column: its heading, its width, and on which side the cells stand. */
export interface Column {
  readonly heading: string;
  readonly width: number;
  readonly align?: 'left' | 'right';
}

/** The headings of `columns` as one line. */
export function headingLine(columns: readonly Column[]): string {
  return cellsLine(
    columns,
    columns.map((column) => column.heading),
  );
}

/** `cells` under `columns` as one line; what is too long is not cut, so nothing is hidden. */
export function cellsLine(columns: readonly Column[], cells: readonly string[]): string {
  return columns
    .map(({ width, align }, index) => {
      const cell = cells[index] ?? '';
      return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
    })
    .join('  ')
    .trimEnd();
}

/** A figure between 0 and 1 with three decimals, or a dash where there is none. */
export function figure(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(3);
}
