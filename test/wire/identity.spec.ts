import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  authoritySecret,
  authorityService,
  initAuthority,
  openAuthority,
  type AuthorityService,
} from '@tutti/authority';
import { fromHex } from '@tutti/base';
import type { ClientOptions } from '@tutti/client-node';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator } from '@tutti/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

/** Enrolment over real sockets: an authority's service, an app's back end that asks it, a coordinator that reads its log. */

const folder = mkdtempSync(join(tmpdir(), 'tutti-authority-'));
const authority = initAuthority(folder);
let service: AuthorityService;
let url = '';
beforeAll(async () => {
  service = authorityService({ authority: await openAuthority(folder), secret: authoritySecret(folder) });
  url = await service.listen({ port: 0 });
});
afterAll(async () => {
  await service.close();
  rmSync(folder, { recursive: true });
});

/** What an app's back end does for a device of a person who is logged in. */
async function askBackEnd({ clientId }: { clientId: string }): Promise<Uint8Array> {
  const response = await fetch(`${url}/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${authoritySecret(folder)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId }),
  });
  const { token } = (await response.json()) as { token: string };
  return fromHex(token);
}

const small = { smallestCohort: 2, insecureSmallCohort: true } as const;

/** An app that asks for this level. */
const app = (identity: 'enrolled' | 'transparent'): Partial<ClientOptions> => ({
  policy: { ...small, identity, authorities: [authority] },
  token: askBackEnd,
});

const likes = (person: number): string[] => FILMS.slice(person * 4, person * 4 + 8);

async function withFederation(
  config: Parameters<typeof wireConfig>[0],
  work: (federation: WireFederation) => Promise<void>,
): Promise<void> {
  const federation = await openWireFederation(wireConfig({ rounds: 1, ...config }));
  try {
    await work(federation);
  } finally {
    await federation.close();
  }
}

describe('enrolled, over real sockets', () => {
  it('commits a round with tokens that the back end got, and without a client that has none', async () => {
    // It begins when all six wait, however late the last one comes.
    const round = { cohort: 6, smallestCohort: 5, overselection: 1, selectionMs: 20_000 };
    await withFederation({ identity: { level: 'enrolled', authority }, round }, async (federation) => {
      const { client, run, events } = federation;
      const people = [];
      for (let person = 0; person < 5; person++)
        people.push(await client(`person-${person}`, likes(person), app('enrolled')));
      const { policy } = app('enrolled');
      const stranger = await client('stranger', likes(5), policy === undefined ? {} : { policy });
      const reasons: string[] = [];
      stranger.on('declined', ({ reason }) => void reasons.push(reason));
      await run([...people, stranger], rounds(1));
      expect(reasons).toEqual(['token-missing']);
      expect(events.find(({ type }) => type === 'committed')).toMatchObject({
        record: { identity: 'enrolled', reported: 5, declined: { 'token-missing': 1 } },
      });
      const status = (await (await fetch(`${federation.url}/v1/status`)).json()) as {
        tasks: { identity: string }[];
      };
      expect(status.tasks[0]?.identity).toBe('enrolled');
    });
  }, 60_000);

  it('nobody takes part in a task that is open, when the app asks for enrolment', async () => {
    await withFederation({}, async ({ client, run, events }) => {
      const reasons = new Set<string>();
      const people = [];
      for (let person = 0; person < 3; person++) {
        const one = await client(`person-${person}`, likes(person), app('enrolled'));
        one.on('declined', ({ reason }) => void reasons.add(reason));
        people.push(one);
      }
      await run(people, (all) => all.some(({ type }) => type === 'aborted'));
      expect([...reasons]).toEqual(['identity-too-weak']);
      expect(events.find(({ type }) => type === 'aborted')).toMatchObject({ reason: 'too-few-ready' });
    });
  }, 60_000);
});

describe('transparent, over real sockets', () => {
  it('commits a round once the log holds the members, and proves them to whoever asks', async () => {
    await withFederation({ identity: { level: 'transparent', authority, url } }, async (federation) => {
      const { client, run, events } = federation;
      const people = [];
      for (let person = 0; person < 6; person++)
        people.push(await client(`logged-${person}`, likes(person), app('transparent')));
      // Devices enrol when they hear of the task; the coordinator reads of them a few seconds later.
      await run(people, rounds(1));
      expect(events.find(({ type }) => type === 'committed')).toMatchObject({
        record: { identity: 'transparent' },
      });
      const ask = async (path: string): Promise<[number, unknown]> => {
        const response = await fetch(`${federation.url}/v1/tasks/films/log/${path}`);
        return [response.status, await response.json()];
      };
      const hash = expect.stringMatching(/^[0-9a-f]{64}$/) as string;
      expect(await ask('inclusion?size=2&indexes=0,1')).toEqual([200, { proofs: [hash, hash] }]);
      expect(await ask('consistency?from=1&to=2')).toEqual([200, { proof: hash }]);
      for (const path of [
        'inclusion?size=2&indexes=2',
        'inclusion?size=2&indexes=',
        'inclusion?size=9999&indexes=0',
        `inclusion?size=2&indexes=${Array(257).fill(0).join(',')}`,
        'consistency?from=2&to=1',
        'consistency?from=1&to=9999',
        'consistency?from=x&to=2',
      ])
        expect((await ask(path))[0], path).toBe(400);
      const other = await fetch(`${federation.url}/v1/tasks/books/log/consistency?from=0&to=0`);
      expect(other.status).toBe(404);
    });
  }, 60_000);

  it('a coordinator does not start without the log, nor with one under another key', async () => {
    const open = (over: object): Promise<unknown> =>
      createCoordinator({
        config: wireConfig({ identity: { level: 'transparent', authority, url, ...over } }),
        store: memoryStore(),
        blobs: memoryBlobs(nodeCrypto),
      });
    await expect(open({ url: 'http://127.0.0.1:9' })).rejects.toThrow(
      'the authority at http://127.0.0.1:9 does not answer',
    );
    await expect(open({ authority: 'c'.repeat(64) })).rejects.toThrow('log-head-forged');
    await expect(open({ url: 'ftp://authority' })).rejects.toThrow('tasks[0].identity.url');
  });
});
