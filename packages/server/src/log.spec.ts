import { EnvironmentError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { errorFields, jsonLog, type Log } from './log.ts';

function recorded(): { log: Log; lines: () => Record<string, unknown>[]; text: () => string } {
  let text = '';
  const log = jsonLog({ level: 'debug', destination: { write: (line) => void (text += line) } });
  const lines = () =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, text: () => text };
}

describe('a line of the log', () => {
  it('says what happened', () => {
    const { log, lines } = recorded();
    log.write('attempt-aborted', { task: 'films', round: 3, attempt: 4, reason: 'too-few-ready' });
    expect(lines()).toEqual([
      {
        ...{
          level: 'warn',
          event: 'attempt-aborted',
          task: 'films',
          round: 3,
          attempt: 4,
          reason: 'too-few-ready',
        },
        ...{ pid: process.pid, time: expect.any(String) as string },
      },
    ]);
  });

  it('says of devices that declined how many did for which reason, and nothing else', () => {
    const { log, lines } = recorded();
    const told = [{ 'no-data': 3, 'wrong-model': 1 }, {}, { 'no-data': 0.5 }, { 'tin-harbour': 1 }];
    for (const declined of told) log.write('attempt-aborted', { task: 'films', declined });
    expect(lines().map(({ declined }) => declined)).toEqual([told[0], undefined, undefined, undefined]);
  });

  const SECRETS: Record<string, unknown> = {
    'a key': 'ab'.repeat(32),
    'a key as base64': Buffer.alloc(32, 7).toString('base64url'),
    bytes: new Uint8Array(32),
    weights: new Float32Array([0.25, 0.5]),
    'a list': [1, 2, 3],
    'an object': { item: 'tin-harbour' },
    'a text': 'she liked Tin Harbour',
    'not a number': Number.NaN,
  };

  it.each(Object.entries(SECRETS))('holds no %s in any of its fields', (_, secret) => {
    const { log, lines } = recorded();
    const everywhere = new Proxy({}, { get: () => secret, has: () => true }) as never;
    for (const event of [
      'round-committed',
      'attempt-aborted',
      'phase',
      'request',
      'refused',
      'failed',
      'listening',
    ] as const)
      log.write(event, everywhere);
    // A content address looks like a key: it is the one field that may.
    const allowed = secret === SECRETS['a key'] ? ['model'] : [];
    for (const { level: _level, time: _time, pid: _pid, event: _event, ...fields } of lines())
      expect(allowed).toEqual(expect.arrayContaining(Object.keys(fields)));
    expect(lines()).toHaveLength(7);
  });

  it('has no field that is not on the list, and is not written for an event that is not', () => {
    const { log, lines } = recorded();
    log.write('finished', { task: 'films', reason: 'stopped', item: 'tin-harbour', weights: [1] } as never);
    log.write('interaction' as never, { item: 'tin-harbour' });
    expect(lines().map(({ time: _time, pid: _pid, ...rest }) => rest)).toEqual([
      { level: 'info', event: 'finished', task: 'films', reason: 'stopped' },
    ]);
  });

  it('tells of an error its class, its code and where, never its words', () => {
    const { log, text } = recorded();
    const told = 'tin-harbour\n    at secret (/tin-harbour.ts:1:1)\nab12';
    log.write('failed', { task: 'films', part: 'task', ...errorFields(new EnvironmentError(told)) });
    log.write('failed', { part: 'http', ...errorFields(Object.assign(new Error(told), { code: 'ENOSPC' })) });
    log.write('failed', { part: 'http', ...errorFields('tin-harbour') });
    expect(text()).toContain('"class":"EnvironmentError","code":"environment/failed","frames":"at ');
    expect(text()).toContain('"class":"Error","code":"ENOSPC"');
    expect(text()).not.toMatch(/tin-harbour|ab12/);
  });
});
