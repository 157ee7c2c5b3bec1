import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { tuttiHere } from './here.ts';

const bin = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
  /package\.json$/,
  'bin/tutti.js',
);
const docs = fileURLToPath(new URL('../../docs/cli.md', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tutti-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a person would; `onOutput` sees what it says and may signal it. */
function tutti(
  args: readonly string[],
  onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString();
      onOutput?.(output.stdout + output.stderr, (signal) => child.kill(signal));
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...output })));
}

describe('the command line', () => {
  it.each([
    'start',
    'simulate',
    'coordinator',
    'worker',
    'client',
    'evaluate',
    'bench-quality',
    'status',
    'doctor',
    'privacy',
    'audit',
    'authority',
    'authority init',
    'authority public-key',
    'authority issue',
    'authority serve',
    'authority verify',
    'token create',
    'token list',
    'token revoke',
    'task create',
    'task list',
    'task show',
    'task pause',
    'task resume',
    'task stop',
    'rounds',
    'logs',
    'model list',
    'model show',
    'model promote',
    'model rollback',
    'model export',
  ])('%s --help shows examples and ends with 0', async (command) => {
    const { code, stdout } = await tuttiHere([...command.split(' '), '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Examples:');
    expect(stdout).toContain('--json');
    expect(readFileSync(docs, 'utf8'), 'docs/cli.md shows it').toContain(stdout.trim());
  });

  it.each<[string, string[], object]>([
    [
      'ε of a noise',
      ['--noise-multiplier', '2', '--rounds', '1'],
      { noiseMultiplier: 2, unamplified: { epsilon: expect.closeTo(2.25408465, 6) as number } },
    ],
    [
      'the noise for an ε',
      ['--epsilon', '8', '--rounds', '30', '--cohort', '100', '--population', '6040'],
      { noiseMultiplier: expect.any(Number) as number, pld: { epsilon: expect.closeTo(8, 3) as number } },
    ],
    [
      'trees',
      ['--mechanism', 'tree', '--noise-multiplier', '8.83', '--steps-per-tree', '1600'],
      { rdp: { epsilon: expect.closeTo(1.77319244962, 8) as number, order: expect.any(Number) as number } },
    ],
  ])('tutti privacy answers %s', async (_name, args, expected) => {
    const { code, stdout } = await tutti(['privacy', '--delta', '1e-6', ...args, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject(expected);
  });

  it.each<[string, string[], RegExp]>([
    [
      'an unknown option, with a suggestion',
      ['simulate', '--round', '3'],
      /unknown option '--round'[^]*Did you mean --rounds/,
    ],
    [
      'an unknown command, with a suggestion',
      ['simulat'],
      /unknown command 'simulat'[^]*Did you mean simulate/,
    ],
    [
      'a value out of range',
      ['simulate', '--rounds', '0'],
      /--rounds <n>' argument '0' is invalid. A whole number from 1/,
    ],
    ['a number that is not written as one', ['simulate', '--epsilon', '0x8'], /'0x8' is invalid. A number/],
    [
      'what a recorded run decides by itself',
      ['audit', '--run', 'runs/a', '--rounds', '3', '--model', 'mf'],
      /--run runs\/a brings its own model and rounds; leave out --model and --rounds/,
    ],
    ['a name that is not on the list', ['simulate', '--strategy', 'sgd'], /Allowed choices are fedavg/],
    ['a cohort that masks do not protect', ['simulate', '--cohort', '5'], /5 is below 16/],
    [
      'an ε without rounds',
      ['privacy', '--epsilon', '8', '--delta', '1e-5'],
      /--mechanism gaussian needs --rounds/,
    ],
    [
      'a cohort above its population',
      ['privacy', '--epsilon', '8', '--delta', '1e-5', '--rounds', '3', '--cohort', '9', '--population', '4'],
      /a cohort of 9 out of a population of 4/,
    ],
    ['a coordinator without a catalogue', ['coordinator'], /--catalogue FILE, or --config FILE/],
    ['a coordinator of an unknown family', ['coordinator', '--model', 'x'], /Allowed choices are mf/],
    [
      'layers for a model without any',
      ['simulate', '--model', 'mf', '--hidden', '8'],
      /model\.hidden: is no field of the family mf/,
    ],
    [
      'people of built-in data beside a data set',
      ['simulate', '--users', '40', '--dataset', 'x'],
      /cannot be used/,
    ],
    [
      'FedProx where it is FedAvg',
      ['simulate', '--model', 'mf', '--strategy', 'fedprox'],
      /fedprox is fedavg for mf/,
    ],
    [
      'an unknown option of bench-quality, with a suggestion',
      ['bench-quality', '--seedz', '3'],
      /unknown option '--seedz'[^]*Did you mean one of --seed, --seeds/,
    ],
    [
      'a reference that there is not',
      ['bench-quality', '--against', 'popularity,best'],
      /Names from popularity, item-knn, ease, ials, central are expected/,
    ],
    ['an ε without noise', ['start', '--no-noise', '--epsilon', '8'], /cannot be used/],
    [
      'reasons for no list',
      ['client', '--rounds', '0', '--explain'],
      /--explain is of a list; say how long it is to be: --recommend 10/,
    ],
    [
      'a file that is no checkpoint',
      ['evaluate', '--checkpoint', docs],
      /cli\.md is no checkpoint of this model/,
    ],
  ])('refuses %s, exit code 2, one message, no stack', async (_name, args, message) => {
    const { code, stderr } = await tuttiHere(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('says what to do when no coordinator answers, exit code 1', async () => {
    const { code, stderr } = await tutti(['status', '--coordinator', 'http://127.0.0.1:9']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(
        'No coordinator answers at http://127.0.0.1:9. Start one with: tutti coordinator',
      ),
    ]);
  });

  it('refuses a table with a line that is not like the others, naming file and line', async () => {
    const file = join(mkdtempSync(join(folder, 'data-')), 'broken.csv');
    writeFileSync(file, 'user,item\n1,a\n1\n');
    const { code, stderr } = await tutti(['simulate', '--dataset', file]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('broken.csv, line 3')]);
  });

  it('refuses a folder without data, with what was looked for', async () => {
    const { code, stderr } = await tutti(['simulate', '--dataset', folder]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('u.data');
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('tutti simulate', () => {
  it('of ratings says how far predictions are, as tutti evaluate does of its checkpoint', async () => {
    const data = join(folder, 'ratings.csv');
    const rows = Array.from({ length: 600 }, (_, row) => {
      const [person, film] = [row % 30, Math.floor(row / 30) + (row % 3)];
      return `p${person},f${film},${1 + ((person + 2 * film) % 5)},${row}`;
    });
    writeFileSync(data, ['user,item,rating,timestamp', ...rows].join('\n'));
    const out = join(folder, 'rated');
    const run = ['simulate', '--dataset', data, '--model', 'mf', '--loss', 'mse', '--dimension', '3'];
    const more = [
      '--rounds',
      '3',
      '--cohort',
      '16',
      '--protocol',
      'plain',
      '--checkpoint-every',
      '3',
      '--out',
      out,
    ];
    const simulated = await tutti([...run, ...more]);
    const [line] = /ratings of test items: RMSE .*/.exec(simulated.stdout) ?? [];
    expect(line).toMatch(/RMSE \d\.\d{4}; predicting the mean/);
    const checkpoint = join(out, 'checkpoints', 'round-00003.safetensors');
    const evaluated = await tutti([
      ...[
        'evaluate',
        '--checkpoint',
        checkpoint,
        '--config',
        join(out, 'config.json'),
        '--against',
        'popularity',
      ],
    ]);
    expect(evaluated.stdout).toContain(line);
  });

  it('writes its folder, one JSON object, and a checkpoint that tutti evaluate measures alike', async () => {
    const out = join(folder, 'run');
    const small = [
      '--users',
      '40',
      '--items',
      '120',
      '--model',
      'mf',
      '--dimension',
      '8',
      '--rounds',
      '4',
      '--cohort',
      '16',
      '--seed',
      '3',
    ];
    const { code, stdout } = await tutti(['simulate', ...small, '--out', out, '--json']);
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as { rounds: unknown[]; final: { sampled: { hr10: number } } };
    expect(result).toMatchObject({
      model: { family: 'mf', dimension: 8 },
      dataset: { users: 40, items: 120, interactions: expect.any(Number) as number },
      final: {
        sampled: { hr10: expect.any(Number) as number, ndcg10: expect.any(Number) as number },
        full: { hr10: expect.any(Number) as number },
      },
      baselines: { popularity: { sampled: { hr10: expect.any(Number) as number } } },
      bytes: {
        upPerClientRound: expect.any(Number) as number,
        downPerClientRound: expect.any(Number) as number,
      },
      clientsPerSecond: expect.any(Number) as number,
      wallSeconds: expect.any(Number) as number,
      seed: 3,
    });
    expect(result.rounds.length).toBe(4);
    expect(readdirSync(out).sort()).toEqual(['checkpoints', 'config.json', 'metrics.jsonl', 'report.html']);
    expect(
      readFileSync(join(out, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { round: number }).round),
    ).toEqual([1, 2, 3, 4]);
    const page = readFileSync(join(out, 'report.html'), 'utf8');
    expect(page).not.toMatch(/(src|href)="?https?:/);
    expect(page).toContain('uPlot');
    const evaluated = await tutti([
      'evaluate',
      '--checkpoint',
      join(out, 'checkpoints', 'round-00004.safetensors'),
      '--config',
      join(out, 'config.json'),
      '--against',
      'popularity',
      '--json',
    ]);
    expect(evaluated.code).toBe(0);
    const { final } = JSON.parse(evaluated.stdout) as { final: { sampled: { hr10: number } } };
    expect(final.sampled.hr10).toBeCloseTo(result.final.sampled.hr10, 10);
  }, 120_000);
});

describe('tutti evaluate beside a run', () => {
  it('refuses a data set whose items stand in another order than the rows of the model', async () => {
    const data = join(folder, 'likes.csv');
    const rows = Array.from({ length: 20 }, (_, user) =>
      Array.from({ length: 5 }, (_, n) => `p${user},f${(7 * user + 3 * n) % 40},${n}`),
    ).flat();
    const write = (lines: readonly string[]): void =>
      writeFileSync(data, `${['user,item,timestamp', ...lines].join('\n')}\n`);
    write(rows);
    const out = join(folder, 'likes');
    const run = await tutti([
      ...['simulate', '--dataset', data, '--model', 'mf', '--dimension', '4', '--rounds', '1'],
      ...['--cohort', '16', '--workers', '1', '--out', out],
    ]);
    expect(run.code).toBe(0);
    const checkpoint = ['--checkpoint', join(out, 'checkpoints', 'round-00001.safetensors')];
    const forms = [
      ['--config', join(out, 'config.json')],
      ['--dataset', data, '--model', 'mf', '--dimension', '4'],
    ];
    const evaluate = (form: readonly string[]) =>
      tutti(['evaluate', ...checkpoint, ...form, '--against', 'popularity', '--json']);
    for (const form of forms) expect((await evaluate(form)).code).toBe(0);
    const bytes = readFileSync(checkpoint[1] as string);
    bytes.writeFloatLE(-3e38, bytes.length - 4);
    const huge = join(out, 'checkpoints', 'huge.safetensors');
    writeFileSync(huge, bytes);
    const refused = await tutti(['evaluate', '--checkpoint', huge, ...(forms[1] as string[])]);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/huge\.safetensors holds a weight of -3\.0e\+38; with any beyond 1000000000 /),
    ]);
    write([...rows].reverse());
    for (const form of forms) {
      const { code, stderr } = await evaluate(form);
      expect([code, stderr]).toEqual([2, expect.stringContaining('stand in another order')]);
    }
  }, 60_000);

  it('names the option of a field that --set has no part in', async () => {
    const { code, stderr } = await tutti(['simulate', '--set', 'dimension=4']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('dimension has an option of its own: --dimension'),
    ]);
  });
});

/** The figures of a method as JSON, as far as tests look. */
interface MethodJson {
  readonly sampled: { readonly hr10: number };
  readonly lists: object;
  readonly coldStart: { readonly interactions: number; readonly sampled: { readonly hr10: number } }[];
  readonly intervals: { readonly sampled: { readonly hr10: [number, number] } };
  readonly seeds: { readonly seed: number }[];
}

describe('tutti bench-quality', () => {
  it('refuses what is of a family where no family is measured, and names it', async () => {
    const { code, stderr } = await tutti(['bench-quality', '--rounds', '3', '--dimension', '4']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--dimension, --rounds: of a family')]);
    const central = await tutti(['bench-quality', '--against', 'central']);
    expect([central.code, central.stderr]).toEqual([2, expect.stringContaining('--against central')]);
  });

  it('refuses a report that cannot be written before anything is measured', async () => {
    for (const [path, reason] of [
      [join(folder, 'nowhere', 'x.html'), 'there is no folder'],
      [folder, 'is a folder'],
    ] as const)
      for (const command of [['bench-quality'], ['evaluate', '--checkpoint', 'none']]) {
        const { code, stderr } = await tutti([...command, '--report', path]);
        expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
        expect(stderr).not.toContain('data:');
      }
  });

  const small = ['bench-quality', '--users', '40', '--items', '120', '--json'];
  const family = ['--model', 'mf', '--dimension', '4', '--rounds', '3', '--workers', '1'];

  it('measures a federation over seeds against every reference, and writes a page', async () => {
    const page = join(folder, 'quality.html');
    const { code, stdout } = await tutti([...small, ...family, '--seeds', '2', '--report', page]);
    expect(code).toBe(0);
    const { methods, canaries, chosen } = JSON.parse(stdout) as {
      methods: Record<string, MethodJson>;
      canaries: object;
      chosen: { seed: number; round: number }[];
    };
    expect(Object.keys(methods)).toEqual(['federated', 'popularity', 'itemKnn', 'ease', 'ials', 'central']);
    for (const method of Object.values(methods)) {
      const [low, high] = method.intervals.sampled.hr10;
      expect(method.sampled.hr10).toBeGreaterThanOrEqual(low);
      expect(method.sampled.hr10).toBeLessThanOrEqual(high);
      expect(method.coldStart.map(({ interactions }) => interactions)).toEqual([0, 1, 3, 5, 10, 20]);
      expect(Object.keys(method.lists)).toEqual(['coverage', 'novelty', 'popularityLift', 'gini']);
    }
    expect(methods['federated']?.seeds.map(({ seed }) => seed)).toEqual([1, 2]);
    expect(methods['popularity']?.seeds.length).toBe(1);
    expect(chosen.map(({ seed }) => seed)).toEqual([1, 2]);
    expect(canaries).toMatchObject({ passed: true, constant: { hr: 0 }, memory: { hr: 0 } });
    expect(readFileSync(page, 'utf8')).not.toMatch(/(src|href)="?https?:/);
  }, 180_000);

  it('refuses a data set whose held-out item is among the training interactions', async () => {
    const data = mkdtempSync(join(folder, 'leak-'));
    const write = (name: string, lines: string[]): void =>
      writeFileSync(join(data, `leak.${name}`), `${lines.join('\n')}\n`);
    write('train.rating', ['0\t0\t1\t1', '0\t1\t1\t1', '1\t0\t1\t1']);
    write('test.rating', ['0\t1\t1\t1', '1\t2\t1\t1']);
    write('test.negative', ['(0,1)\t2', '(1,2)\t1']);
    const { code, stderr } = await tutti(['bench-quality', '--dataset', data]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('leak.test.rating, line 1, item: is in the training part of this user too'),
    ]);
  });

  it('says loudly that EASE is left out where the catalogue is too wide', async () => {
    const { code, stdout, stderr } = await tutti([
      ...['bench-quality', '--users', '20', '--items', '4200', '--json'],
      ...['--against', 'popularity,ease'],
    ]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('EASE was left out')]);
    expect(JSON.parse(stdout)).toMatchObject({ skipped: [{ method: 'ease' }] });
  }, 60_000);
});

describe('tutti start', () => {
  const small = [
    'start',
    '--clients',
    '20',
    '--cohort',
    '16',
    '--port',
    '0',
    '--model',
    'mf',
    '--data-dir',
    'start',
  ];
  const left = (): string[] => readdirSync(join(folder, 'start'));

  it('stops everything it started on Ctrl-C, exit code 130, and goes on where it was', async () => {
    let signalled = false;
    const stopped = await tutti([...small, '--rounds', '500'], (text, kill) => {
      if (signalled || !/\n\s+2 +16/.test(text)) return;
      signalled = true;
      kill('SIGINT');
    });
    expect(stopped.code).toBe(130);
    expect(existsSync(join(folder, 'start', 'coordinator', 'pid'))).toBe(false);
    const other = await tutti([...small, '--seed', '9']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('--fresh to start over')]);
    const resumed = await tutti([...small, '--rounds', '4', '--json']);
    expect(resumed.stderr).toMatch(/resumes at round \d+; --fresh starts over|rounds were done before/);
    expect(resumed.code).toBe(0);
    const result = JSON.parse(resumed.stdout) as {
      methods: Record<string, { hr10: number }>;
      lists: { recommended: string[]; because: (string | null)[]; liked: string[] }[];
    };
    expect(Object.keys(result.methods)).toEqual([
      'popularity',
      'item-kNN',
      'this federation',
      'trained centrally',
    ]);
    expect(result.lists.map(({ recommended }) => recommended.length)).toEqual([10, 10, 10]);
    for (const { because, recommended } of result.lists) {
      expect(because.length).toBe(10);
      expect(because.filter((title) => title !== null).length).toBeGreaterThan(5);
      for (const title of because) expect(recommended).not.toContain(title);
    }
    expect(left()).toContain('report.html');
  }, 120_000);

  it('says which port is taken, exit code 1', async () => {
    const config = join(folder, 'config.json');
    writeFileSync(
      config,
      JSON.stringify({
        listen: { port: 0 },
        store: `lmdb:${join(folder, 'other')}`,
        tasks: [{ name: 'films', catalogue: { ids: ['a', 'b'] } }],
      }),
    );
    let taken: Promise<Ended> | undefined;
    await tutti(['coordinator', '--config', config, '--json'], (text, kill) => {
      const port = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(text)?.[1];
      if (port === undefined || taken !== undefined) return;
      taken = tutti(['start', '--clients', '20', '--port', port, '--data-dir', 'taken']).finally(() =>
        kill('SIGTERM'),
      );
    });
    const ended = await taken;
    expect([ended?.code, ended?.stderr]).toEqual([
      1,
      expect.stringMatching(/Port \d+ is taken\. Use --port \d+/),
    ]);
  }, 60_000);
});
