import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Whom a request comes from, as an address. */
export type AddressOf = (request: IncomingMessage) => string;

/** Longest list of forwarders that is read. */
const MOST_HOPS = 32;

/**
 * Whom requests come from: the peer of the connection, and where that is a proxy which is named as trusted, whom it says it asks for.
 * X-Forwarded-For is read from its end: each entry is believed only while whoever wrote it is trusted.
 *
 * @param trustedProxies addresses and networks, such as 10.0.0.0/8.
 */
export function addressReader(trustedProxies: readonly string[]): AddressOf {
  const trusted = new BlockList();
  for (const network of trustedProxies) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (request) => {
    let address = plainAddress(request.socket.remoteAddress ?? '');
    const header = request.headers['x-forwarded-for'];
    const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').slice(-MOST_HOPS);
    for (let hop = hops.pop(); hop !== undefined && isTrusted(address); hop = hops.pop()) {
      const next = plainAddress(hop.trim());
      // What is no address ends the chain: the proxy that is known stays who asks.
      if (isIP(next) === 0) break;
      address = next;
    }
    return address;
  };
}

/** IPv4 as itself, where a socket of both families writes ::ffff:192.0.2.1. */
export const plainAddress = (address: string): string =>
  address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');

const thisMachine = new BlockList();
thisMachine.addSubnet('127.0.0.0', 8, 'ipv4');
thisMachine.addAddress('::1', 'ipv6');

/** Whether an address is one of this machine's own. */
export const isThisMachine = (address: string): boolean =>
  isIP(address) !== 0 && thisMachine.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
