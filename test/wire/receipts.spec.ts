import { afterEach, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

const people = (federation: WireFederation, count: number, options = {}) =>
  Promise.all(
    Array.from({ length: count }, (_, i) =>
      federation.client(`person-${i}`, FILMS.slice(3 * i, 3 * i + 9), options),
    ),
  );

describe('what left a device', () => {
  let federation: WireFederation;
  afterEach(async () => federation.close());

  it('stands in its receipts: rounds, bytes, people, and a sentence about it', async () => {
    federation = await openWireFederation();
    const clients = await people(federation, 6);
    const heard: string[] = [];
    clients[0]?.on('receipt', ({ receipt }) => heard.push(receipt.text));
    await federation.run(clients, rounds(2));
    const { total, list } = await clients[0]!.receipts();
    const committed = list.filter(({ outcome }) => outcome === 'committed');
    expect(committed.map(({ round, cohort, masked }) => [round, cohort, masked])).toContainEqual([
      1,
      6,
      true,
    ]);
    // 120 films × 8 numbers, and the lanes beside them, each of 3 or 4 bytes.
    expect(committed.every(({ bytes }) => bytes > 3 * 8 * FILMS.length && bytes < 8 * 8 * FILMS.length)).toBe(
      true,
    );
    expect(total.updates).toBe(list.length);
    expect(total.bytes).toBeGreaterThanOrEqual(list.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(heard[0]).toMatch(
      /^On \w+, \w+ \d+ your device added to a sum over 6 people\. \d kB left it, all masked\. Nobody can read your likes from it\./,
    );
  });

  it('is nothing before consent where the app asks for it, and nothing more once it was withdrawn', async () => {
    federation = await openWireFederation(wireConfig({ rounds: 50 }));
    const clients = await people(federation, 4);
    const shy = await federation.client('shy', FILMS.slice(0, 9), { consent: 'ask' });
    let connections = 0;
    shy.on('connected', () => connections++);
    await federation.run([...clients, shy], rounds(1));
    expect([connections, (await shy.receipts()).total.bytes]).toEqual([0, 0]);

    await shy.consent.grant();
    await federation.run([...clients, shy], () => connections > 0);
    await shy.consent.withdraw();
    const { total } = await shy.receipts();
    const committed = federation.events.filter(({ type }) => type === 'committed').length;
    await federation.run([...clients, shy], rounds(committed + 1));
    expect([connections, (await shy.receipts()).total]).toEqual([1, total]);
    expect(await shy.consent.state()).toBe('withdrawn');
  });

  it('is told of a round that was left in the middle as soon as it was left', async () => {
    federation = await openWireFederation(wireConfig({ rounds: 50 }));
    const clients = await people(federation, 5);
    const fickle = await federation.client('fickle', FILMS.slice(0, 9), { consent: 'ask' });
    await fickle.consent.grant();
    let withdrawn: Promise<void> | undefined;
    const withdraw = async (): Promise<void> => {
      // Not before its update begins to leave.
      await expect.poll(async () => (await fickle.receipts()).list.length, { interval: 1 }).toBe(1);
      await fickle.consent.withdraw();
    };
    fickle.on('phase', ({ phase }) => {
      if (phase === 'relay-shares') withdrawn ??= withdraw();
    });
    await federation.run([...clients, fickle], () => withdrawn !== undefined);
    await withdrawn;
    const { total, list } = await fickle.receipts();
    expect(total.updates).toBe(1);
    // Where the others were quick its round had ended by then.
    expect(list.map(({ outcome }) => outcome).join()).toMatch(/^(left|committed)$/);
    expect(list[0]?.bytes).toBeGreaterThan(500);
  });
});
