import { MultiBar, Presets, type SingleBar } from 'cli-progress';

/** Where progress and lines for people go: a bar with an estimate on a terminal, plain lines elsewhere. */
export interface Screen {
  /** One line of text, above the bar where there is one. */
  line(text?: string): void;
  /** Where the long work stands: `done` of `total`, and in a few words what is going on. */
  progress(done: number, total: number, doing: string): void;
  /** A long step begins that gives no lines of its own: the bar says so, and where there is none, a line. */
  step(doing: string): void;
  /** Takes the bar away. */
  finish(): void;
}

/** Steps of a bar: fine enough that the part of a round shows. */
const BAR_STEPS = 1_000;

/** A screen on `stream`. It uses no colour, so `NO_COLOR` has nothing to turn off. */
export function openScreen(stream: NodeJS.WriteStream): Screen {
  return stream.isTTY ? terminalScreen(stream) : plainScreen(stream);
}

function plainScreen(stream: NodeJS.WriteStream): Screen {
  return {
    line: (text = '') => void stream.write(`${text}\n`),
    progress: () => undefined,
    step: (doing) => void stream.write(`${doing} …\n`),
    finish: () => undefined,
  };
}

function terminalScreen(stream: NodeJS.WriteStream): Screen {
  let bars: MultiBar | undefined;
  let bar: SingleBar | undefined;
  let started = 0;
  const open = (): void => {
    started = Date.now();
    bars = new MultiBar(
      {
        stream,
        clearOnComplete: true,
        hideCursor: true,
        stopOnComplete: false,
        fps: 8,
        format: '{bar} {doing}',
        barsize: 24,
        gracefulExit: false,
      },
      Presets.shades_classic,
    );
    bar = bars.create(BAR_STEPS, 0, { doing: '' });
  };
  // A second Ctrl-C ends the process in the middle of a bar, which hides the cursor.
  process.once('exit', () => bars?.stop());
  return {
    line(text = '') {
      if (bars === undefined) stream.write(`${text}\n`);
      else bars.log(`${text}\n`);
    },
    progress(done, total, doing) {
      if (bar === undefined) open();
      const fraction = total === 0 ? 0 : done / total;
      bar?.update(Math.floor(BAR_STEPS * Math.min(1, fraction)), {
        doing: `${doing}${timeLeft(started, fraction)}`,
      });
    },
    step: () => undefined,
    finish() {
      // Lines wait for the next drawing of the bar: draw once more, or the last ones are lost.
      bars?.update();
      bars?.stop();
      bars = undefined;
      bar = undefined;
    },
  };
}

function timeLeft(started: number, fraction: number): string {
  const elapsed = (Date.now() - started) / 1_000;
  if (fraction <= 0.01 || elapsed < 1) return '';
  return ` · ${duration((elapsed * (1 - fraction)) / fraction)} left`;
}

/** Seconds in words: `47 s`, `3 min 20 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 90 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** A count with its noun: `1 round`, `30 rounds`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Bytes in words, decimal units: `52 kB`, `61.0 MB`. */
export function bytes(count: number): string {
  if (count < 1_000) return `${Math.round(count)} B`;
  if (count < 1e6) return `${Math.round(count / 1e3)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}
