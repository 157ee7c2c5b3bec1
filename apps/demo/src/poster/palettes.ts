/** Colours that go together, by what is painted with them. */

/** Drama: land at dusk. */
export const DUSKS = [
  {
    sky: ['#2b2d5b', '#b5586a', '#f6b26b'],
    land: ['#8d4f6e', '#5a3563', '#2a1c3e'],
    sun: '#ffe2a8',
    ink: '#fff1dc',
  },
  {
    sky: ['#123a4d', '#4f8f8b', '#f0cf8a'],
    land: ['#3f7d80', '#235560', '#0d2b35'],
    sun: '#fff0c4',
    ink: '#f8f0da',
  },
  {
    sky: ['#5a1e36', '#c05a4e', '#f5b98f'],
    land: ['#96434f', '#612a41', '#2c1226'],
    sun: '#ffd9b0',
    ink: '#ffeede',
  },
  {
    sky: ['#26344f', '#7d8fa8', '#e8d9c5'],
    land: ['#6d7f96', '#43556f', '#1b273c'],
    sun: '#fff8e6',
    ink: '#f3eee4',
  },
] as const;

/** Comedy: paper, two colours, ink, and what is pale. */
export const PLAYS = [
  ['#ffd23f', '#ee4266', '#3bceac', '#0e4749', '#fff6e0'],
  ['#f7b2bd', '#e4572e', '#17bebb', '#2e282a', '#fff8f0'],
  ['#9ad4d6', '#ff6b35', '#ffd166', '#22333b', '#fdf9ec'],
  ['#f4a259', '#5b8e7d', '#bc4b51', '#2b2d42', '#fff3e2'],
] as const;

/** Mystery: a town at night. */
export const NIGHTS = [
  {
    sky: ['#070b1d', '#152a4e', '#3d5f86'],
    far: '#1c3358',
    near: '#0a1226',
    lamp: '#ffd166',
    moon: '#f4efdb',
  },
  {
    sky: ['#0c1512', '#17403a', '#5b8f7f'],
    far: '#1d4a42',
    near: '#08140f',
    lamp: '#ffe08a',
    moon: '#eaf2dc',
  },
  {
    sky: ['#150a20', '#3c1d4f', '#8a5a86'],
    far: '#46275c',
    near: '#120819',
    lamp: '#ff9f68',
    moon: '#f9e4d4',
  },
] as const;

/** Adventure: mountains by day. */
export const JOURNEYS = [
  {
    sky: ['#ff9a3c', '#ffd28a', '#fff0cf'],
    dark: '#8c3b2a',
    lit: '#d9663d',
    land: ['#b5503a', '#6b2b27'],
    sun: '#fff6dd',
    ink: '#5a1f1c',
  },
  {
    sky: ['#3aa6b9', '#9bdcd5', '#fdf3d0'],
    dark: '#1c5a6b',
    lit: '#3d8b95',
    land: ['#2c7a72', '#12444b'],
    sun: '#fff7d8',
    ink: '#0c3740',
  },
  {
    sky: ['#f2c14e', '#f9e0a0', '#fff8e2'],
    dark: '#3f5e3c',
    lit: '#7d9a55',
    land: ['#5b7d47', '#2a4530'],
    sun: '#fffdf0',
    ink: '#24402b',
  },
  {
    sky: ['#7aa5d8', '#c9dcf0', '#fdeee2'],
    dark: '#3c4a78',
    lit: '#7382b4',
    land: ['#56679a', '#28335c'],
    sun: '#fffaf0',
    ink: '#222c54',
  },
] as const;

/** Romance: two lights over the sea. */
export const HEARTS = [
  {
    sky: ['#ffd6d1', '#f7a8a8', '#c96a8b'],
    one: '#ff6f61',
    other: '#ffc75f',
    sea: '#7b3f61',
    ink: '#fff2ea',
  },
  {
    sky: ['#fde2ff', '#c8b6ff', '#8d7bd0'],
    one: '#ff9ecf',
    other: '#fff3b0',
    sea: '#4a3d84',
    ink: '#fdf4ff',
  },
  {
    sky: ['#fff1d6', '#ffcdb2', '#e5989b'],
    one: '#e5616f',
    other: '#ffb480',
    sea: '#6d4a68',
    ink: '#fff5e9',
  },
  {
    sky: ['#d7f0ea', '#a6d8d2', '#f4b9b0'],
    one: '#f2766b',
    other: '#ffe29a',
    sea: '#2f6a74',
    ink: '#f4fbf6',
  },
] as const;

/** Science fiction: planets. */
export const SPACES = [
  {
    sky: ['#05060f', '#141a3c', '#3a2a6a'],
    planet: ['#ff8a5c', '#7a2f5c'],
    ring: '#ffd9a8',
    grid: '#7fe7ff',
    ink: '#e9f6ff',
  },
  {
    sky: ['#03110f', '#08312f', '#126a62'],
    planet: ['#b7ffd8', '#1c7a6d'],
    ring: '#f8ffe0',
    grid: '#8affc1',
    ink: '#eafff4',
  },
  {
    sky: ['#12020d', '#3b0a2f', '#a32a55'],
    planet: ['#ffd27d', '#d1495b'],
    ring: '#fff0cf',
    grid: '#ff9ac1',
    ink: '#fff0f4',
  },
  {
    sky: ['#050a14', '#11263f', '#2d5c82'],
    planet: ['#dfe9f2', '#5f7f9c'],
    ring: '#ffb454',
    grid: '#a8d8ff',
    ink: '#f1f7fc',
  },
] as const;
