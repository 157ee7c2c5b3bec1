import { createClient, createSharedEngine } from '@tutti/client-node';
import { defineModel, type OwnModel } from '@tutti/model';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator } from '@tutti/server';
import { expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig } from './federation.ts';

const taste = (version: number): OwnModel =>
  defineModel({
    name: 'taste',
    version,
    shared: { items: { perItem: true, shape: [4] } },
    local: 4,
    window: 1,
    score: (tf, { shared, local, items }) =>
      tf.sum(tf.mul(tf.gather(shared.items, items), tf.expandDims(local, 1)), 2),
  });

it('an app’s own model is trained by its clients, for a coordinator that has its configuration alone', async () => {
  const model = taste(1);
  // As it stands in a file: nothing but JSON.
  const written = JSON.parse(JSON.stringify(model.config)) as typeof model.config;
  const federation = await openWireFederation(wireConfig({ model: { ...written } }));
  const engine = await createSharedEngine({ backend: 'wasm', model });
  try {
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        federation.client(`device-${n}`, FILMS.slice(n, n + 8), { engine }),
      ),
    );
    await federation.run(clients, rounds(2));
    const [first] = clients;
    await first?.refresh();
    const list = await first?.recommend({ k: 5 });
    expect(list).toHaveLength(5);
    for (const { item } of list ?? []) expect(FILMS.slice(0, 8)).not.toContain(item);

    const open = (own?: OwnModel) =>
      createClient({
        coordinator: federation.url,
        task: 'films',
        store: federation.folder(`stranger-${own?.config.version ?? 0}`),
        ...(own === undefined ? {} : { model: own }),
      });
    await expect(open()).rejects.toThrow('own model, taste 1: its definition is needed');
    await expect(open(taste(2))).rejects.toThrow('this app defines taste 2');
    await (await open(model)).close();
  } finally {
    engine.close();
    await federation.close();
  }
});

it('a coordinator refuses a configuration that is no model, by path', async () => {
  const config = wireConfig({ model: { ...taste(1).config, window: 0 } });
  await expect(
    createCoordinator({ config, store: memoryStore(), blobs: memoryBlobs(nodeCrypto) }),
  ).rejects.toThrow(/tasks\[0\]\.model\.window: 0 is not/);
});
