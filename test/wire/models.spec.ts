import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { openPromotion, type SignedPromotion } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, createToken } from '@tutti/server';
import { afterAll, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig } from './federation.ts';

/** Models on channels, from a real coordinator to the lists of real clients. */

const folder = mkdtempSync(join(tmpdir(), 'tutti-models-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Listed {
  readonly hash: string;
  readonly channels: readonly string[];
  readonly manifest: { readonly round: number; readonly modelHash: string; readonly parent: string | null };
}

describe('models of a task', () => {
  it(
    'are a signed lineage; clients rank with the one that is promoted, until it is taken back',
    { timeout: 60_000 },
    async () => {
      const tokens = join(folder, 'tokens.json');
      const token = createToken(tokens, { name: 'ada', role: 'operate' });
      const storage = { store: memoryStore(), blobs: memoryBlobs(nodeCrypto) };
      const config = { ...wireConfig({ rounds: 6, keepCheckpoints: 2 }), tokens };
      const federation = await openWireFederation(config, { engine: 'ts' }, storage);
      const ask = async (method: string, path: string, body?: object): Promise<[number, unknown]> => {
        const response = await fetch(`${federation.url}/api/v1/tasks/films${path}`, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        return [response.status, await response.json()];
      };
      const promote = (model: string | number) =>
        ask('POST', `/models/${model}/promote`, { channel: 'stable' });
      try {
        expect(await ask('GET', '/channels/stable')).toMatchObject([
          404,
          { error: { code: 'model/nothing-promoted' } },
        ]);
        const clients = await Promise.all(
          Array.from({ length: 6 }, (_, i) =>
            federation.client(`person-${i}`, FILMS.slice(3 * i, 3 * i + 9)),
          ),
        );
        await federation.run(clients, rounds(2));
        const made = federation.coordinator.coordination.rounds('films').length;
        const [, promoted] = await promote(made);
        const key = federation.coordinator.coordination.taskInfo('films')?.coordinatorKey ?? '';
        const expected = { task: 'films', channel: 'stable', coordinatorKey: key } as const;
        const bundle = openPromotion(promoted, expected, nodeCrypto);
        expect(bundle.promotion).toMatchObject({ sequence: 1, by: 'ada' });
        expect(bundle.manifest).toMatchObject({ round: made, kind: 'round', cohort: { reported: 6 } });
        // Twice is once.
        expect(await promote(bundle.promotion.manifest ?? '')).toEqual([200, promoted]);

        // A device that was not there ranks with it too: what it would get from the newest is another list.
        const name = bundle.manifest?.modelHash ?? '';
        const stranger = await federation.client('stranger', FILMS.slice(40, 49));
        const before = await stranger.recommend({ k: 20 });
        await federation.run(clients, rounds(6));
        expect(federation.coordinator.coordination.taskInfo('films')).toMatchObject({
          round: 6,
          promotions: 1,
        });
        await stranger.refresh();
        expect(await stranger.recommend({ k: 20 })).toEqual(before);
        const later = await federation.client('later', FILMS.slice(40, 49));
        expect((await later.recommend({ k: 20 })).map(({ item }) => item)).toEqual(
          before.map(({ item }) => item),
        );

        // Its checkpoint stays, though keepCheckpoints is over; others go.
        expect((await fetch(`${federation.url}/v1/blobs/${name}`)).status).toBe(200);
        const [, list] = (await ask('GET', '/models')) as [number, { models: Listed[]; next: null }];
        expect(list.models.map(({ manifest }) => manifest.round)).toEqual([6, 5, 4, 3, 2, 1, 0]);
        expect(list.models.map(({ manifest }) => manifest.parent)).toEqual([
          ...list.models.slice(1).map(({ hash }) => hash),
          null,
        ]);
        expect(list.models.filter(({ channels }) => channels.length > 0)).toMatchObject([
          { hash: bundle.promotion.manifest, channels: ['stable'] },
        ]);
        expect(await promote(0)).toMatchObject([409, { error: { code: 'model/gone' } }]);
        expect(await promote('nonsense')).toMatchObject([404, { error: { code: 'model/unknown' } }]);

        expect((await promote(6))[0]).toBe(200);
        await stranger.refresh();
        const newest = await stranger.recommend({ k: 20 });
        expect(newest).not.toEqual(before);
        const [, back] = (await ask('POST', '/channels/stable/rollback')) as [number, SignedPromotion];
        expect(back).toMatchObject({ promotion: { sequence: 3 }, manifest: { modelHash: name } });
        await stranger.refresh();
        expect(await stranger.recommend({ k: 20 })).toEqual(before);
        expect((await ask('POST', '/channels/stable/rollback'))[1]).toMatchObject({ manifest: null });
        await stranger.refresh();
        expect(await stranger.recommend({ k: 20 })).toEqual(newest);
        expect(await ask('POST', '/channels/stable/rollback')).toMatchObject([
          409,
          { error: { code: 'model/nothing-promoted' } },
        ]);
        // What nothing needs any more is gone.
        expect((await fetch(`${federation.url}/v1/blobs/${name}`)).status).toBe(404);

        // After a restart everything is as it was, to the last signature.
        await promote(6);
        const [, last] = await ask('GET', '/channels/stable');
        await federation.coordinator.close();
        await using again = await createCoordinator({ config, ...storage });
        const url = await again.listen();
        expect(await (await fetch(`${url}/api/v1/tasks/films/channels/stable`)).json()).toEqual(last);
      } finally {
        await federation.close();
      }
    },
  );

  it(
    'are judged by real clients, where the policy is automatic; the interface tells how',
    { timeout: 60_000 },
    async () => {
      const policy = {
        ...({ mode: 'automatic', every: 1, canaryShare: 1, maxRounds: 1, metric: 'ndcg@10' } as const),
        ...{ margin: 1, minClients: 6 },
      };
      const config = wireConfig({ rounds: 2, registry: { policy } });
      const federation = await openWireFederation(config, { engine: 'ts' });
      try {
        const clients = await Promise.all(
          Array.from({ length: 6 }, (_, i) => federation.client(`judge-${i}`, FILMS.slice(3 * i, 3 * i + 9))),
        );
        await federation.run(clients, (events) => events.some(({ type }) => type === 'model-judged'));
        const response = await fetch(`${federation.url}/api/v1/tasks/films/models/2`);
        expect(await response.json()).toMatchObject({
          channels: ['canary', 'stable'],
          judged: { verdict: 'promote', people: 6, looks: 1, metric: 'ndcg@10', sequence: 2 },
        });
        const metrics = await (await fetch(`${federation.url}/metrics`)).text();
        expect(metrics).toContain('tutti_models_judged_total{task="films",verdict="promote"} 1');
        expect(metrics).toContain('tutti_models_judged_total{task="films",verdict="rollback"} 0');
        expect(metrics).toMatch(
          /tutti_model_judged_difference\{task="films",metric="ndcg@10",bound="low"\} -?[\d.e-]+\n/,
        );
      } finally {
        await federation.close();
      }
    },
  );
});
