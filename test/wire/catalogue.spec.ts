import { memoryBlobs, memoryStore, type CoordinationEvent } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator } from '@tutti/server';
import { describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig } from './federation.ts';

/** An operator who gives another list of films and starts the coordinator again, with clients that know the old one. */

const NEW = ['film-new-0', 'film-new-1'];
/** Another order, without two of the films, and with two new ones. */
const LATER = [...NEW, ...FILMS.filter((id) => id !== 'film-0' && id !== 'film-7').reverse()];

describe('a catalogue that changes over a restart', () => {
  it('reaches clients that know the old one: they learn it, train on it, and recommend none of what is gone', async () => {
    const storage = { store: memoryStore(), blobs: memoryBlobs(nodeCrypto) };
    const config = wireConfig({ rounds: 8 });
    const federation = await openWireFederation(config, { engine: 'ts' }, storage);
    const port = Number(new URL(federation.url).port);
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, i) => federation.client(`person-${i}`, FILMS.slice(8 * i, 8 * i + 12))),
    );
    await federation.run(clients, rounds(2));
    const [first] = clients as [(typeof clients)[number], ...typeof clients];
    expect((await first.recommend({ k: 120, includeSeen: true })).map(({ item }) => item)).toContain(
      'film-0',
    );

    await federation.coordinator.close();
    const later = await createCoordinator({
      config: { ...wireConfig({ rounds: 8, catalogue: { ids: LATER } }), listen: { port } },
      ...storage,
    });
    const events: CoordinationEvent[] = [];
    later.coordination.subscribe((event) => void (event.type !== 'progress' && events.push(event)));
    try {
      // Before anyone is asked, and before the network is back: the old list still works.
      expect(first.knows('film-new-0')).toBe(false);
      expect((await first.recommend({ k: 3 })).length).toBe(3);
      await later.listen();
      const declined: string[] = [];
      for (const client of clients) client.on('declined', ({ reason }) => declined.push(reason));
      await federation.run(clients, () => rounds(2)(events));
      // Each learns of it by the first round it is asked for, and says so once.
      expect(declined.length).toBeLessThanOrEqual(clients.length);
      expect(new Set(declined)).toEqual(new Set(['wrong-model']));
      expect(first.knows('film-new-0')).toBe(true);
      const all = (await first.recommend({ k: 200, includeSeen: true })).map(({ item }) => item);
      expect(all.length).toBe(FILMS.length);
      expect(all).toEqual(expect.arrayContaining(NEW));
      for (const gone of ['film-0', 'film-7']) expect(all).not.toContain(gone);
      expect((await first.similar('film-0', { k: 3 })).length).toBe(3);
      // The person's own item is gone, and still counts.
      expect((await first.history()).map(({ item }) => item)).toContain('film-0');
      expect(later.coordination.rounds('films').length).toBeGreaterThanOrEqual(4);
    } finally {
      await later.close();
      await federation.close();
    }
  });

  it('is learned by refresh() too, without taking part', async () => {
    const storage = { store: memoryStore(), blobs: memoryBlobs(nodeCrypto) };
    const config = wireConfig();
    const federation = await openWireFederation(config, { engine: 'ts' }, storage);
    const client = await federation.client('alone', FILMS.slice(0, 5));
    await client.refresh();
    await federation.coordinator.close();
    const port = Number(new URL(federation.url).port);
    const later = await createCoordinator({
      config: { ...wireConfig({ catalogue: { ids: LATER } }), listen: { port } },
      ...storage,
    });
    try {
      await later.listen();
      await client.refresh();
      expect(client.knows('film-new-1')).toBe(true);
      const all = (await client.recommend({ k: 200, includeSeen: true })).map(({ item }) => item);
      expect(all).toEqual(expect.arrayContaining(NEW));
      expect(all).not.toContain('film-7');
    } finally {
      await later.close();
      await federation.close();
    }
  });

  it('is refused at start where it is another one altogether', async () => {
    const storage = { store: memoryStore(), blobs: memoryBlobs(nodeCrypto) };
    await (await createCoordinator({ config: wireConfig(), ...storage })).close();
    const other = wireConfig({ catalogue: { ids: ['a', 'b', 'film-1'] } });
    await expect(createCoordinator({ config: other, ...storage })).rejects.toThrow(
      'tasks[0].catalogue: has fewer than half of the 120 items that task films knows',
    );
  });
});
