import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { addressReader, isThisMachine } from './address.ts';

const request = (remoteAddress: string, forwarded?: string | string[]): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

describe('whom a request comes from', () => {
  const ofTrusted = addressReader(['10.0.0.0/8', '2001:db8::1']);

  it.each<[string, string, string | string[] | undefined, string]>([
    ['the peer', '203.0.113.9', undefined, '203.0.113.9'],
    ['the peer, whatever it says, unless it is trusted', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['whom a trusted proxy asks for', '10.1.2.3', '198.51.100.1', '198.51.100.1'],
    [
      'the last that a trusted one wrote, not what the client wrote before',
      '10.1.2.3',
      '1.1.1.1, 198.51.100.1',
      '198.51.100.1',
    ],
    ['over two trusted proxies', '10.1.2.3', '6.6.6.6, 198.51.100.1, 10.9.9.9', '198.51.100.1'],
    ['over headers that were sent twice', '10.1.2.3', ['6.6.6.6', '198.51.100.1'], '198.51.100.1'],
    ['the proxy itself, where it writes no address', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['an IPv4 peer of a socket of both families', '::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['over IPv6', '2001:db8::1', '2001:db8:1::5', '2001:db8:1::5'],
  ])('is %s', (_, remote, forwarded, expected) => {
    expect(ofTrusted(request(remote, forwarded))).toBe(expected);
  });

  it('is never what a header says where no proxy is named', () => {
    expect(addressReader([])(request('127.0.0.1', '198.51.100.1'))).toBe('127.0.0.1');
  });

  it('may be this machine', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', '10.0.0.1', 'x'].map(isThisMachine)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});
