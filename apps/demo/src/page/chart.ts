import { h, type ComponentChild } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

/** A line of the chart; every value a part of the whole, 0 to 1. */
export interface Line {
  readonly label: string;
  /** A colour of the style sheet, by its name. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  readonly title: string;
  readonly rounds: readonly number[];
  readonly lines: readonly Line[];
}

/** What the page tells itself when its colours are others: a chart is drawn with those of its moment. */
export const THEME_CHANGED = 'theme-changed';

const HEIGHT = 150;
/** Steps of the round axis: there is no round 1.5. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 10_000];

const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? 'unknown' : `${Math.round(100 * value)} %`;

const widthOf = (element: HTMLElement | null): number => Math.max(160, element?.clientWidth ?? 0);

/** Parts by round: an image with the newest figures as its text, and a legend with the same. */
export function Chart({ title, rounds, lines }: ChartProps): ComponentChild {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const element = place.current as HTMLElement;
    const made = (plot.current = new uPlot(optionsOf(element, lines), [[]], element));
    const watch = new ResizeObserver(() => made.setSize({ width: widthOf(element), height: HEIGHT }));
    watch.observe(element);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const redraw = (): void => made.redraw();
    addEventListener(THEME_CHANGED, redraw);
    dark.addEventListener('change', redraw);
    return () => {
      removeEventListener(THEME_CHANGED, redraw);
      dark.removeEventListener('change', redraw);
      watch.disconnect();
      made.destroy();
    };
  }, []);
  useEffect(() => {
    plot.current?.setData([rounds, ...lines.map(({ values }) => values)] as uPlot.AlignedData);
  });
  const last = lines.map(({ label, values }) => `${label} ${percent(values.at(-1))}`).join(', ');
  const text = rounds.length === 0 ? 'no round yet' : `round ${rounds.at(-1) ?? 0}: ${last}`;
  return h(
    'figure',
    { class: 'chart' },
    h('figcaption', null, title),
    h('div', { ref: place, class: 'plot', role: 'img', 'aria-label': `${title}, ${text}` }),
    h(
      'ul',
      { class: 'legend', 'aria-hidden': 'true' },
      lines.map(({ label, colour, values }) =>
        h(
          'li',
          { key: label, class: colour },
          h('span', null, label),
          h('b', null, percent(values.at(-1)).replace('unknown', '–')),
        ),
      ),
    ),
  );
}

/** A mean of the last few values at each place, of those that are known: a round's figure is that of its cohort, and scatters. */
export function smoothed(values: readonly (number | null)[], span: number): (number | null)[] {
  return values.map((_, at) => {
    const known = values.slice(Math.max(0, at - span + 1), at + 1).filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
  });
}

function optionsOf(place: HTMLElement, lines: readonly Line[]): uPlot.Options {
  // Asked for at each drawing: the theme may have changed.
  const colour = (name: string) => (): string =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour('soft'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
  return {
    width: widthOf(place),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: [0, 1] } },
    axes: [
      { ...axis, incrs: WHOLE, size: 24 },
      { ...axis, size: 44, incrs: [0.25, 0.5], values: (_plot, ticks) => ticks.map((tick) => percent(tick)) },
    ],
    series: [
      { label: 'round' },
      ...lines.map(({ label, colour: name }) => ({
        label,
        stroke: colour(name),
        width: 2.5,
        spanGaps: true,
        points: { show: false },
      })),
    ],
  };
}
