import { execFileSync } from 'node:child_process';

/** Hosts made of network namespaces on one bridge, between which packets can be made to vanish without a word. */
export interface Network {
  addressOf(host: string): string;
  /** What runs a program on a host. */
  on(host: string): readonly string[];
  /** The namespace of a host, as `nsenter --net=` takes it. */
  namespaceOf(host: string): string;
  /** Nothing that one says reaches the other any more. Nobody is told. */
  cut(from: string, to: string): void;
  /** Every host loses a tenth of what it sends, and what it sends waits. @returns how, in words. */
  slow(): string;
  /** Everything passes again. */
  heal(): void;
  destroy(): void;
}

/** A link-layer address that nobody has: what is sent there is lost. */
const NOBODY = '02:de:ad:00:00:01';
const LOSS = 0.1;

/** Opens one. @returns in words why there can be none here. */
export function openNetwork(hosts: readonly string[]): Network | string {
  const mark = process.pid % 250;
  const bridge = `tutti${mark}`;
  const namespaceNamed = (host: string): string => `tutti-${mark}-${host}`;
  const addressOf = (host: string): string => `10.213.${mark}.${hosts.indexOf(host) + 2}`;
  const inside = (host: string, ...words: readonly string[]): void =>
    run('ip', 'netns', 'exec', namespaceNamed(host), ...words);
  const cuts: { from: string; to: string }[] = [];
  let undoSlow: (() => void)[] = [];
  function destroy(): void {
    hosts.forEach((host, i) => {
      tryTo(() => run('ip', 'link', 'del', `tutti${mark}h${i}`));
      tryTo(() => run('ip', 'netns', 'del', namespaceNamed(host)));
    });
    tryTo(() => run('ip', 'link', 'del', bridge));
  }
  try {
    run('ip', 'link', 'add', bridge, 'type', 'bridge');
    run('ip', 'addr', 'add', `10.213.${mark}.1/24`, 'dev', bridge);
    run('ip', 'link', 'set', bridge, 'up');
    hosts.forEach((host, i) => {
      const [name, far] = [namespaceNamed(host), `tutti${mark}h${i}`];
      run('ip', 'netns', 'add', name);
      run('ip', 'link', 'add', far, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      run('ip', 'link', 'set', far, 'master', bridge, 'up');
      inside(host, 'ip', 'addr', 'add', `${addressOf(host)}/24`, 'dev', 'eth0');
      inside(host, 'ip', 'link', 'set', 'eth0', 'up');
      inside(host, 'ip', 'link', 'set', 'lo', 'up');
    });
  } catch (error) {
    destroy();
    return `needs root and iproute2: no network namespace can be made here (${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''})`;
  }
  return {
    addressOf,
    on: (host) => ['nsenter', `--net=/run/netns/${namespaceNamed(host)}`, '--'],
    namespaceOf: (host) => `/run/netns/${namespaceNamed(host)}`,
    cut(from, to) {
      inside(
        from,
        'ip',
        'neigh',
        'replace',
        addressOf(to),
        ...['lladdr', NOBODY, 'dev', 'eth0', 'nud', 'permanent'],
      );
      cuts.push({ from, to });
    },
    slow() {
      const [how, undo] = slowDown(hosts, inside);
      undoSlow = undo;
      return how;
    },
    heal() {
      for (const { from, to } of cuts.splice(0))
        tryTo(() => inside(from, 'ip', 'neigh', 'del', addressOf(to), 'dev', 'eth0'));
      for (const undo of undoSlow.splice(0)) tryTo(undo);
    },
    destroy,
  };
}

type Inside = (host: string, ...words: readonly string[]) => void;

/** With netem where the kernel has it; else packets are dropped by a filter, and wait in a narrow bucket. */
function slowDown(hosts: readonly string[], inside: Inside): [how: string, undo: (() => void)[]] {
  const delOf =
    (host: string): (() => void) =>
    () =>
      inside(host, ...'tc qdisc del dev eth0 root'.split(' '));
  try {
    for (const host of hosts)
      inside(host, ...`tc qdisc add dev eth0 root netem delay 50ms 20ms loss ${LOSS * 100}%`.split(' '));
    return [`netem: 50 ± 20 ms and ${LOSS * 100} % loss each way`, hosts.map(delOf)];
  } catch {
    const narrow = 'tc qdisc add dev eth0 root tbf rate 1mbit burst 4kb latency 300ms';
    for (const host of hosts) inside(host, ...narrow.split(' '));
    const lossy = filterOf(hosts, inside);
    const how =
      lossy === undefined ? 'no loss: neither netem nor iptables is here' : `${LOSS * 100} % loss each way`;
    return [`1 Mbit/s with a queue of 300 ms, ${how}`, [...hosts.map(delOf), ...(lossy ?? [])]];
  }
}

/** Drops a share of what every host sends. */
function filterOf(hosts: readonly string[], inside: Inside): (() => void)[] | undefined {
  for (const tables of ['iptables', 'iptables-legacy']) {
    const rule = (how: '-A' | '-D'): string[] =>
      `${tables} ${how} OUTPUT -m statistic --mode random --probability ${LOSS} -j DROP`.split(' ');
    try {
      for (const host of hosts) inside(host, ...rule('-A'));
      return hosts.map((host) => () => inside(host, ...rule('-D')));
    } catch {
      // The next one.
    }
  }
  return undefined;
}

function run(...[program = '', ...args]: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function tryTo(work: () => void): void {
  try {
    work();
  } catch {
    // It is gone already.
  }
}
