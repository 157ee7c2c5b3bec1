import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { configJsonSchema, createCoordinator, decodeConfig, readEnvironment } from '@tutti/server';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

/** What deploy/ holds agrees with what the coordinator takes. That images build and charts install, it cannot show. */

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url)), 'utf8');
const yaml = (path: string): Record<string, never> => parse(read(path)) as Record<string, never>;

/** `NAME=value …` as the environment of a coordinator. */
function variablesIn(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/\b(TUTTI_[A-Z_]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
  );
}

const tasks = [{ name: 'films', catalogue: { ids: ['a', 'b'] }, model: { family: 'mf' as const } }];
const drainMs = decodeConfig({ tasks }).drain.deadlineMs;

it('no variable that is set takes the store from the configuration, and what has none is kept where data is kept', () => {
  expect(read('Dockerfile')).toMatch(/^VOLUME \/var\/lib\/tutti$/m);
  expect(read('Dockerfile')).toMatch(/^WORKDIR \/var\/lib\/tutti$(?![^]*^WORKDIR)/m);
  expect(read('tutti.service')).toMatch(/^WorkingDirectory=\/var\/lib\/tutti$/m);
  for (const file of ['Dockerfile', 'tutti.service', 'compose.yaml', 'helm/tutti/templates/statefulset.yaml'])
    expect(read(file), file).not.toContain('TUTTI_STORE');
});

it('the proxy lets through what a coordinator takes: catalogues of tasks, and 64 KiB of all else', () => {
  const text = read('proxy/nginx.conf');
  expect(text).toMatch(/location = \/api\/v1\/tasks \{ client_max_body_size 64m;/);
  expect(text.match(/client_max_body_size \S+/g)).toEqual([
    'client_max_body_size 64k;',
    'client_max_body_size 64m;',
  ]);
});

describe('the image', () => {
  const text = read('Dockerfile');

  it('sets values that there are', () => {
    const { assignments, unknown } = readEnvironment(configJsonSchema(), variablesIn(text));
    expect([assignments.length, unknown]).toEqual([2, []]);
    expect(() =>
      decodeConfig({
        listen: { host: '0.0.0.0' },
        log: { format: 'json' },
        tasks,
      }),
    ).not.toThrow();
  });

  it('runs without rights, from a stage without the sources’ tools', () => {
    const last = text.slice(text.lastIndexOf('\nFROM '));
    expect(last).toMatch(/^USER [1-9]\d*:\d+$/m);
    expect(last).not.toContain('npm ci');
    expect(last.indexOf('USER')).toBeLessThan(last.indexOf('ENTRYPOINT'));
  });
});

it('compose runs it read-only, without rights, and lets it drain', () => {
  const { services } = yaml('compose.yaml') as unknown as {
    services: { coordinator: Record<string, unknown> };
  };
  expect(services.coordinator).toMatchObject({
    ...{ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], user: '1000:1000' },
  });
  expect(parseInt(String(services.coordinator['stop_grace_period']))).toBeGreaterThan(drainMs / 1_000);
});

it('the unit sets values that there are, runs without rights, and lets it drain', () => {
  const unit = read('tutti.service');
  const { assignments, unknown } = readEnvironment(configJsonSchema(), variablesIn(unit));
  expect([assignments.length, unknown]).toEqual([1, []]);
  for (const line of [
    'DynamicUser=yes',
    'ProtectSystem=strict',
    'NoNewPrivileges=yes',
    'CapabilityBoundingSet=',
  ])
    expect(unit.split('\n')).toContain(line);
  expect(Number(/TimeoutStopSec=(\d+)/.exec(unit)?.[1])).toBeGreaterThan(drainMs / 1_000);
});

it('systemd has no complaint of the unit, and calls what it exposes little', (ctx) => {
  const unit = fileURLToPath(new URL('../../deploy/tutti.service', import.meta.url));
  const run = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  if (run('--version').error !== undefined)
    return ctx.skip('needs systemd: there is no systemd-analyze here');
  const { status, stdout, stderr } = run('verify', unit);
  // Where nothing is installed, that is all there is to say.
  const complaints = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line !== '' && !line.includes('not executable'));
  expect([status === 0 || complaints.length === 0, complaints]).toEqual([true, []]);
  const { stdout: exposed } = run('security', '--offline=true', '--no-pager', unit);
  const score = Number(/exposure level for tutti\.service: ([\d.]+)/.exec(exposed)?.[1]);
  expect(score).toBeLessThan(4);
});

it('alerts fire when they should, and not when they should not', (ctx) => {
  const folder = fileURLToPath(new URL('../../deploy/prometheus', import.meta.url));
  const run = (...args: string[]) => spawnSync('promtool', args, { encoding: 'utf8', cwd: folder });
  if (run('--version').error !== undefined) return ctx.skip('needs prometheus: there is no promtool here');
  const { status, stdout, stderr } = run('test', 'rules', 'tutti.tests.yaml');
  expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('SUCCESS')]);
  const named = (text: string): Set<string> =>
    new Set([...text.matchAll(/alert(?:name)?: (\w+)/g)].map(([, name]) => String(name)));
  expect(named(read('prometheus/tutti.tests.yaml'))).toEqual(named(read('prometheus/tutti.rules.yaml')));
});

describe('the chart', () => {
  const values = yaml('helm/tutti/values.yaml') as unknown as {
    config: object;
    terminationGracePeriodSeconds: number;
  };
  const set = read('helm/tutti/templates/statefulset.yaml');

  it('has a configuration that can be run, and time to drain after the pause before it', () => {
    const { drain } = decodeConfig({ ...values.config, tasks });
    const pause = Number(/"sleep", "(\d+)"/.exec(set)?.[1]);
    expect(values.terminationGracePeriodSeconds).toBeGreaterThan(pause + drain.deadlineMs / 1_000);
  });

  it('starts one process with the store, without rights, and without variables of Kubernetes', () => {
    for (const line of [
      'replicas: 1',
      'enableServiceLinks: false',
      'runAsNonRoot: true',
      'readOnlyRootFilesystem: true',
    ])
      expect(set).toContain(line);
    const schema = JSON.parse(read('helm/tutti/values.schema.json')) as object;
    expect(schema).toHaveProperty('properties.config');
    expect(yaml('helm/tutti/Chart.yaml')).toMatchObject({ apiVersion: 'v2', name: 'tutti' });
  });
});

it('the proxy hands on upgrades, and writes anew whom it asks for', () => {
  const text = read('proxy/nginx.conf');
  expect(text).toMatch(/proxy_set_header Upgrade \$http_upgrade;/);
  expect(text).toMatch(/proxy_set_header X-Forwarded-For \$remote_addr;/);
});

const METRIC = /\b(?:tutti|nodejs|process)_\w+/g;

/** Metrics that the alerts, and the dashboard of Grafana, ask for. */
function metricsAsked(): Readonly<Record<'alerts' | 'dashboard', readonly string[]>> {
  interface Rules {
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  }
  interface Dashboard {
    readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
  }
  const { groups } = yaml('prometheus/tutti.rules.yaml') as unknown as Rules;
  const { panels } = JSON.parse(read('grafana/tutti.json')) as Dashboard;
  const named = (all: readonly { readonly expr: string }[]): string[] =>
    all.flatMap(({ expr }) => expr.match(METRIC) ?? []);
  return {
    alerts: named(groups.flatMap(({ rules }) => rules)),
    dashboard: named(panels.flatMap(({ targets }) => targets)),
  };
}

it.each([['alerts', 8] as const, ['dashboard', 20] as const])(
  '%s ask for metrics that a coordinator has',
  async (what, least) => {
    const asked = metricsAsked()[what].map((name) =>
      name.replace(/_seconds_(?:bucket|count|sum)$/, '_seconds'),
    );
    expect(asked.length).toBeGreaterThan(least);
    const config = { listen: { port: 0 }, tasks };
    await using coordinator = await createCoordinator({
      config,
      store: memoryStore(),
      blobs: memoryBlobs(nodeCrypto),
    });
    const text = await (await fetch(`${await coordinator.listen()}/metrics`)).text();
    const known = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
    expect(asked.filter((name) => !known.has(name))).toEqual([]);
  },
);
