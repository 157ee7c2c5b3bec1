import { setTimeout as sleep } from 'node:timers/promises';
import { finderOf, searchFiles, writings, type Finder, type Found, type Pattern } from '../memory/scan.ts';
import { searchCores, searchPlace, type Place } from './scan-places.ts';

/** How long what must be somewhere may take to be there, in milliseconds. */
const LIMIT_MS = 60_000;

/** What is looked for. */
export interface Looked {
  /** Masked inputs, labelled with the place that may hold them in its memory. */
  readonly inputs: () => ReadonlyMap<string, readonly Pattern[]>;
}

/** Looks for masked inputs and for what was planted, and remembers what was found where. */
export class Search {
  readonly places = new Set<string>();
  readonly leaks = new Set<string>();
  /** What has to be found, by the place it is planted in; `found` holds what was. */
  readonly #planted = new Map<string, Pattern>();
  readonly #found = new Set<string>();
  readonly #missed = new Set<string>();

  constructor(private readonly looked: Looked) {}

  get found(): string[] {
    return [...this.#found].sort();
  }

  get missed(): string[] {
    return [...this.#missed].sort();
  }

  get patterns(): number {
    return [...this.looked.inputs().values()].flat().length;
  }

  /** Something that must be found in a place from now on. */
  plant(place: string, bytes: Uint8Array): void {
    this.#planted.set(place, { label: `planted in ${place}`, bytes });
  }

  /** Waits until each of `patterns` is in the memory of a place; they are missed where it takes too long. */
  async untilFound(what: string, place: Place, patterns: readonly Pattern[]): Promise<void> {
    const finder = finderOf(patterns);
    for (const until = Date.now() + LIMIT_MS; Date.now() < until; await sleep(100)) {
      const labels = new Set(searchPlace(place, finder).map(({ label }) => label));
      if (patterns.length > 0 && patterns.every(({ label }) => labels.has(label))) {
        this.#found.add(`${what} in ${place.name}`);
        return;
      }
    }
    this.#missed.add(`${what} in ${place.name}`);
  }

  /** Looks through the memory of places: only what belongs there may be there. @param moment of the run. */
  lookAtMemory(places: readonly Place[], moment: string): void {
    for (const place of places)
      this.#note(place.name, moment, searchPlace(place, this.#finderFor(place.name, place.name)));
  }

  /** Ends places as a crash does, one after the other, and looks through a core of each of their processes. */
  async lookAtCores(places: readonly Place[]): Promise<void> {
    for (const place of places) {
      const finder = this.#finderFor(place.name, place.name);
      const { found, cores, without } = await searchCores(place, finder);
      for (const process of without) this.#missed.add(`a core of ${process}, of ${place.name}`);
      this.#note(place.name, `${cores} ${cores === 1 ? 'core' : 'cores'}`, found);
    }
  }

  /** Looks through every file of a folder: no masked input may be there. */
  lookAtFiles(place: string, folder: string): void {
    this.#note(place, 'files', searchFiles(folder, this.#finderFor(place)));
  }

  /** Finds what a place may not hold, and what was planted in it. @param own the place that may hold its own inputs. */
  #finderFor(place: string, own?: string): Finder {
    const forbidden = [...this.looked.inputs()].flatMap(([holder, all]) => (holder === own ? [] : all));
    const planted = this.#planted.get(place);
    return finderOf([...forbidden, ...(planted === undefined ? [] : writings([planted]))]);
  }

  #note(place: string, how: string, found: readonly Found[]): void {
    const planted = this.#planted.get(place);
    const isPlanted = ({ label }: Found): boolean => planted !== undefined && label.startsWith(planted.label);
    for (const one of found) if (!isPlanted(one)) this.leaks.add(`${one.label} in ${place} (${how})`);
    if (planted !== undefined)
      (found.some(isPlanted) ? this.#found : this.#missed).add(`${planted.label} (${how})`);
    this.places.add(`${place} (${how})`);
  }
}
