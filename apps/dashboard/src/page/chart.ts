import { h, type ComponentChild } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

/** A line of a chart. */
export interface Line {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

/** What a chart shows, and what somebody hears who does not see it. */
export interface ChartProps {
  readonly title: string;
  readonly rounds: readonly number[];
  readonly lines: readonly Line[];
  readonly figure: (value: number) => string;
}

const HEIGHT = 180;
/** Steps of the round axis: there is no round 1.5. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 10_000, 100_000];
const COLOURS = ['--accent', '--second', '--good'];

/** Lines by round. It is an image with the newest figures as its text; the figures stand in the table below too. */
export function Chart({ title, rounds, lines, figure }: ChartProps): ComponentChild {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const made = (plot.current = new uPlot(
      optionsOf(place.current as HTMLElement, lines, figure),
      [[]],
      place.current as HTMLElement,
    ));
    const watch = new ResizeObserver(() => made.setSize({ width: widthOf(place.current), height: HEIGHT }));
    watch.observe(place.current as HTMLElement);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, []);
  useEffect(() => {
    plot.current?.setData([rounds, ...lines.map(({ values }) => values)] as uPlot.AlignedData);
  });
  const last = lines.map(({ label, values }) => {
    const value = values.at(-1);
    return `${label} ${value === null || value === undefined ? 'unknown' : figure(value)}`;
  });
  const text = rounds.length === 0 ? 'no round yet' : `round ${rounds.at(-1) ?? 0}: ${last.join(', ')}`;
  return h(
    'figure',
    { class: 'card' },
    h('figcaption', null, title),
    h('div', { ref: place, role: 'img', 'aria-label': `${title}, ${text}` }),
  );
}

const widthOf = (element: HTMLElement | null): number => Math.max(160, element?.clientWidth ?? 0);

function optionsOf(
  place: HTMLElement,
  lines: readonly Line[],
  figure: (value: number) => string,
): uPlot.Options {
  const look = getComputedStyle(document.documentElement);
  const colour = (name: string): string => look.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const value = (_plot: unknown, at: number | null): string =>
    at === null || at === undefined ? '–' : figure(at);
  return {
    width: widthOf(place),
    height: HEIGHT,
    scales: { x: { time: false } },
    axes: [
      { ...axis, incrs: WHOLE },
      { ...axis, size: 52, values: (_plot, ticks) => ticks.map((tick) => figure(tick)) },
    ],
    series: [
      { label: 'round' },
      ...lines.map(({ label }, n) => ({
        label,
        value,
        stroke: colour(COLOURS[n % COLOURS.length] as string),
        width: 2,
        points: { show: false },
      })),
    ],
  };
}
