import type { Film } from '../films.ts';

/** What the page is told of the demo that serves it. */
export interface Setting {
  /** Address of the coordinator. */
  readonly coordinator: string;
  readonly task: string;
  /** Devices in the background. */
  readonly people: number;
  /** Devices a round. */
  readonly cohort: number;
  readonly films: readonly Film[];
}
