import { describe, expect, it } from 'vitest';
import { configJsonSchema, decodeConfig, inspectConfig } from './config.ts';
import { readEnvironment, variableOf } from './config-environment.ts';
import { printedConfig, printedLines, withoutPassword } from './config-print.ts';
import { assignmentsOf, forbiddenIn, mergeSources } from './config-sources.ts';

const schema = configJsonSchema();
const read = (environment: Record<string, string>) => readEnvironment(schema, environment);
const file = {
  store: 'postgres://tutti:hunter2@db/tutti',
  tasks: [{ name: 'films', catalogue: { ids: Array.from({ length: 30 }, (_, item) => `item-${item}`) } }],
};

describe('variables', () => {
  it.each<[string, string, (string | number)[], unknown]>([
    ['TUTTI_LISTEN_PORT', '8080', ['listen', 'port'], 8080],
    ['TUTTI_LISTEN_TRUSTED_PROXIES', '["10.0.0.0/8"]', ['listen', 'trustedProxies'], ['10.0.0.0/8']],
    ['TUTTI_TASKS_0_ROUND_SMALLEST_COHORT', '50', ['tasks', 0, 'round', 'smallestCohort'], 50],
    [
      'TUTTI_TASKS_1_ROUND_DEADLINES_MASKED_INPUT_MS',
      '9',
      ['tasks', 1, 'round', 'deadlines', 'maskedInputMs'],
      9,
    ],
    // A seed is text, and so is one that looks like a number; a family's own field is what it looks like.
    ['TUTTI_TASKS_0_SEED', '7', ['tasks', 0, 'seed'], '7'],
    ['TUTTI_TASKS_0_MODEL_HIDDEN', '[32,16]', ['tasks', 0, 'model', 'hidden'], [32, 16]],
    ['TUTTI_TASKS_0_ROUND_WORD_BITS', '24', ['tasks', 0, 'round', 'wordBits'], 24],
    ['TUTTI_TASKS_0_ROUND_WORD_BITS', 'auto', ['tasks', 0, 'round', 'wordBits'], 'auto'],
    ['TUTTI_TASKS_0_PRIVACY_EPSILON', '8', ['tasks', 0, 'privacy', 'epsilon'], 8],
    ['TUTTI_TASKS_0_CATALOGUE', 'films.csv', ['tasks', 0, 'catalogue'], 'films.csv'],
    ['TUTTI_METRICS', 'off', ['metrics'], 'off'],
    // What is no number stays as it was written, so that the refusal shows it.
    ['TUTTI_LISTEN_PORT', 'many', ['listen', 'port'], 'many'],
  ])('%s=%s', (name, text, path, value) => {
    expect(read({ [name]: text })).toEqual({ assignments: [{ path, value, origin: name }], unknown: [] });
    expect(variableOf(path)).toBe(name);
  });

  it('that name nothing are told; those of others, and of Kubernetes, are not ours', () => {
    const others = {
      ...{ HOME: '/', TUTTI_TOKEN: 'x', TUTTI_SERVICE_HOST: '10.0.0.1', TUTTI_SERVICE_PORT_HTTP: '4170' },
      ...{ TUTTI_PORT: 'tcp://10.0.0.1:4170', TUTTI_PORT_4170_TCP_ADDR: '10.0.0.1' },
    };
    expect(read(others)).toEqual({ assignments: [], unknown: [] });
    const wrong = {
      TUTTI_LISTN_PORT: '1',
      TUTTI_LISTEN_PROT: '1',
      TUTTI_TASKS_0_ROUND_COHRT: '1',
      TUTTI_PORT: '80',
    };
    expect(read(wrong).unknown).toEqual(Object.keys(wrong).sort());
  });
});

describe('a configuration out of several places', () => {
  it('takes each value from the last that gives it, and knows which that was', () => {
    const merged = mergeSources([
      ...assignmentsOf({ listen: { port: 1, host: '::' }, tasks: [{ name: 'a' }] }, 'file.json'),
      ...read({ TUTTI_LISTEN_PORT: '2', TUTTI_TASKS_0_ROUND_COHORT: '40' }).assignments,
      { path: ['listen', 'port'], value: 3, origin: '--port' },
    ]);
    expect(merged.value).toEqual({
      listen: { port: 3, host: '::' },
      tasks: [{ name: 'a', round: { cohort: 40 } }],
    });
    expect(merged.originOf(['listen', 'port'])).toBe('--port');
    expect(merged.originOf(['listen', 'host'])).toBe('file.json');
    expect(merged.originOf(['tasks', 0, 'round', 'cohort'])).toBe('TUTTI_TASKS_0_ROUND_COHORT');
    expect(merged.originOf(['tasks', 0, 'seed'])).toBeUndefined();
  });

  it('knows of a variable that gives a whole object what was in it, and what is a default', () => {
    const merged = mergeSources([
      ...assignmentsOf({ cluster: { takeOverMs: 9_000, roles: ['owner'] }, tokens: 't' }, 'file.json'),
      ...read({ TUTTI_CLUSTER: '{"redis":"redis://r"}', TUTTI_TASKS: '[{"name":"a"}]' }).assignments,
      { path: ['tasks', 0, 'seed'], value: 's', origin: '--seed' },
    ]);
    const paths = [
      'cluster.redis',
      'cluster.roles',
      'cluster.takeOverMs',
      'tasks.0.name',
      'tasks.0.identity.level',
    ];
    const told = [...paths, 'tasks.0.seed', 'tokens'].map((path) => {
      const parts = path.split('.').map((part) => (part === '0' ? 0 : part));
      return `${path} ${merged.originInForce(parts)}, ${merged.originOf(parts)}`;
    });
    expect(told).toEqual([
      'cluster.redis TUTTI_CLUSTER, TUTTI_CLUSTER',
      'cluster.roles undefined, TUTTI_CLUSTER',
      'cluster.takeOverMs undefined, TUTTI_CLUSTER',
      'tasks.0.name TUTTI_TASKS, TUTTI_TASKS',
      'tasks.0.identity.level undefined, TUTTI_TASKS',
      'tasks.0.seed --seed, --seed',
      'tokens file.json, file.json',
    ]);
  });

  it('has no holes where a variable names a task far behind the others', () => {
    const merged = mergeSources([
      ...assignmentsOf(file, 'file.json'),
      ...read({ TUTTI_TASKS_3_NAME: 'far' }).assignments,
    ]);
    expect(Object.keys((merged.value as { tasks: unknown[] }).tasks)).toEqual(['0', '1', '2', '3']);
    const paths = inspectConfig(merged.value).problems.map(({ path }) => path);
    expect(paths).toEqual(['tasks[1]', 'tasks[2]', 'tasks[3].catalogue']);
  });

  it('lets no name reach what objects share', () => {
    const value = JSON.parse(
      '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
    ) as unknown;
    expect(mergeSources(assignmentsOf(value, 'file')).value).toEqual({});
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it('tells where such names stand, however deep', () => {
    const value = JSON.parse(
      '{"constructor": 1, "tasks": [{}, {"model": {"__proto__": {"a": 1}}, "round": {"prototype": {}}}]}',
    ) as unknown;
    expect(forbiddenIn(value)).toEqual([
      ['constructor'],
      ['tasks', 1, 'model', '__proto__'],
      ['tasks', 1, 'round', 'prototype'],
    ]);
    expect(read({ TUTTI_TASKS_0_MODEL_CONSTRUCTOR: '1' }).unknown).toHaveLength(1);
  });

  it('is printed with the origin of each value, without passwords, long lists by their length', () => {
    const merged = mergeSources(assignmentsOf(file, 'file.json'));
    const { config, problems } = inspectConfig(merged.value);
    expect(problems).toEqual([]);
    if (config === undefined) throw new Error('no configuration');
    const values = printedConfig(config, merged);
    expect(values).toContainEqual({ path: 'listen.port', value: 4170, origin: 'default' });
    expect(values).toContainEqual({
      path: 'tasks[0].catalogue.ids',
      value: '30 entries',
      origin: 'file.json',
    });
    const text = printedLines(values).join('\n');
    expect(text).toMatch(/store = "postgres:\/\/tutti:\*\*\*@db\/tutti" +\(file\.json\)/);
    expect(text).not.toContain('hunter2');
    expect(withoutPassword('postgres://h/d?user=a&password=p&ssl=1')).toBe(
      'postgres://h/d?user=a&password=***&ssl=1',
    );
  });
});

describe('what is wrong', () => {
  it('says where the override of a small cohort stands', () => {
    const tasks = [{ name: 'a', catalogue: { ids: ['a'] }, round: { cohort: 5 } }];
    expect(inspectConfig({ tasks }).problems[0]?.problem).toContain(
      '(set tasks[0].insecureSmallCohort to override)',
    );
  });

  it('is a list of nothing', () => {
    const problemOf = (tasks: unknown): unknown => inspectConfig({ tasks }).problems[0];
    const problem = (what: string) => ({ problem: `has no ${what}; one or more are needed` });
    expect(problemOf([])).toMatchObject({ path: 'tasks', ...problem('task') });
    expect(problemOf([{ name: 'a', catalogue: { ids: [] } }])).toMatchObject({
      ...{ path: 'tasks[0].catalogue.ids', ...problem('item') },
    });
  });

  it('is a name that two tasks have', () => {
    const task = { name: 'a', catalogue: { ids: ['a'] } };
    expect(inspectConfig({ tasks: [task, { ...task, name: 'b' }, task] }).problems).toEqual([
      { path: 'tasks[2].name', problem: 'another task is named a' },
    ]);
    const beside = inspectConfig({ tasks: [task, { ...task, rounds: -1 }, null] }).problems;
    expect(beside.map(({ path }) => path)).toEqual(['tasks[1].rounds', 'tasks[2]', 'tasks[1].name']);
    expect(() => decodeConfig({ tasks: [task, task] })).toThrow('tasks[1].name: another task is named a');
  });

  it('is an item that is no text, and a tracker that is none', () => {
    const tasks = [{ name: 'a', catalogue: { ids: ['fine 🎬', 'broken \ud800'] } }];
    const trackers = [
      'mlflow:http://[bad',
      'mlflow:http://h:99999',
      'mlflow:http://me:secret@h',
      'csv:x',
      'jsonl:x',
    ];
    const told = inspectConfig({ tasks, trackers }).problems;
    expect(told.map(({ path }) => path)).toEqual([
      ...['trackers[0]', 'trackers[1]', 'trackers[2]', 'trackers[3]', 'tasks[0].catalogue.ids'],
    ]);
    expect(told[2]?.problem).toContain('MLFLOW_TRACKING_PASSWORD');
    expect(told[4]?.problem).toBe('number 2 is no well-formed text');
  });

  it('is told all at once: the form, and what does not fit together in tasks of the right form', () => {
    const wrong = {
      listen: { port: 70_000, trustedProxies: ['10.0.0.0/33', 'proxy'] },
      tasks: [
        { name: 'Films!', catalogue: { ids: ['a'] } },
        { name: 'books', catalogue: { ids: ['a'] }, round: { cohort: 5 } },
      ],
    };
    expect(inspectConfig(wrong).problems.map(({ path }) => path)).toEqual([
      'listen.port',
      'listen.trustedProxies[0]',
      'listen.trustedProxies[1]',
      'tasks[0].name',
      'tasks[1].round.cohort',
      'tasks[1].round.smallestCohort',
    ]);
  });

  it('is told beside a word that says which form the rest has, too', () => {
    const policy = { mode: 'automatik', every: 0, margin: 7, evrey: 3 };
    const privacy = { mechanism: 'skelam', delta: 3 };
    const tasks = [{ name: 'films', catalogue: { ids: ['a'] }, registry: { policy }, privacy }];
    expect(inspectConfig({ tasks }).problems.map(({ path, problem }) => `${path}: ${problem}`)).toEqual([
      expect.stringMatching(/^tasks\[0\]\.privacy\.mechanism: /),
      expect.stringMatching(/^tasks\[0\]\.registry\.policy\.mode: .*'manual' \| 'automatic'/),
      expect.stringMatching(/^tasks\[0\]\.privacy\.delta: /),
      expect.stringMatching(/^tasks\[0\]\.registry\.policy\.every: /),
      expect.stringMatching(/^tasks\[0\]\.registry\.policy\.margin: /),
      expect.stringMatching(/^tasks\[0\]\.registry\.policy: .*"evrey"/),
    ]);
  });

  it('is told of one task at once: its form, and what does not fit together beside what is wrong', () => {
    const task = { name: 'films', catalogue: { ids: ['a'] } };
    const pathsOf = (more: object): string[] =>
      inspectConfig({ tasks: [{ ...task, ...more }] }).problems.map(({ path }) => path.slice(9));
    const wrong = {
      model: { family: 'mf', dimension: -3 },
      privacy: { mechanism: 'skellam', epsilon: 3 },
      round: { cohort: 5 },
    };
    expect(pathsOf(wrong)).toEqual([
      ...['model.dimension', 'privacy.epsilon', 'privacy.epsilon', 'round.cohort', 'round.smallestCohort'],
    ]);
    expect(pathsOf({ ...wrong, rounds: -1, privacy: undefined, metric: 'hr' })).toEqual([
      ...['rounds', '', 'model.dimension', 'round.cohort', 'round.smallestCohort'],
    ]);
    // Beside a wrong catalogue too, but nothing that follows from it.
    const beside = ['model.dimension', 'round.cohort', 'round.smallestCohort'];
    const [round, privacy] = [{ cohort: 5, slice: { rows: 9 } }, undefined];
    expect(pathsOf({ ...wrong, round, privacy, catalogue: {} })).toEqual(['catalogue.ids', ...beside]);
    const ids = ['a', 'a'];
    expect(pathsOf({ ...wrong, privacy, catalogue: { ids } })).toEqual(['catalogue.ids', ...beside]);
    const content = { round, privacy, model: { family: 'content' } };
    expect(pathsOf({ ...content, catalogue: 'films.csv' })).toEqual(['catalogue', ...beside.slice(1)]);
    expect(pathsOf({ round: { cohort: 'many', smallestCohort: 200 } })).toEqual(['round.cohort']);
  });

  it('is a metric of which less is better: no candidate is judged by it', () => {
    const registry = { policy: { mode: 'automatic', metric: 'loss' } };
    const tasks = [{ name: 'films', catalogue: { ids: ['a'] }, registry }];
    expect(inspectConfig({ tasks }).problems).toEqual([
      {
        path: 'tasks[0].registry.policy.metric',
        problem: 'candidates are judged by hr@10 or ndcg@10: a figure from 0 to 1 of which more is better',
      },
    ]);
  });
});
