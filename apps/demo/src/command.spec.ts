import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

/** The command as a person runs it, in a process of its own. */

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const started: ChildProcess[] = [];

interface Run {
  readonly child: ChildProcess;
  text(): string;
  readonly ended: Promise<number | null>;
}

function run(...args: string[]): Run {
  const child = spawn(process.execPath, [
    '--import',
    import.meta.resolve('@tutti/base/source'),
    main,
    ...args,
  ]);
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (text += part.toString()));
  return { child, text: () => text, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

/** Whether somebody answers there. */
const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

describe('npm run demo', () => {
  afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')));

  it(
    'says where it is, begins rounds with the first visit, and ends with everything that it started',
    { timeout: 60_000 },
    async () => {
      const demo = run('--port', '0');
      await expect
        .poll(demo.text, { timeout: 40_000 })
        .toContain('Rounds begin when you open the film shelf');
      const [page = '', coordinator = ''] = demo.text().match(/http:\/\/localhost:\d+/g) ?? [];
      expect(await answers(coordinator)).toBe(true);
      expect(demo.text()).not.toContain('round 1');
      expect(await answers(page)).toBe(true);
      await expect.poll(demo.text, { timeout: 40_000 }).toMatch(/round 1: \d+ devices in the sum/);
      demo.child.kill('SIGINT');
      expect(await demo.ended).toBe(130);
      expect(demo.text()).toMatch(/stopping …\n$/);
      expect(await Promise.all([page, coordinator].map(answers))).toEqual([false, false]);
    },
  );

  it(
    'refuses a port that is taken, the page’s or the coordinator’s, and says what to do',
    { timeout: 60_000 },
    async () => {
      const other = createServer();
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      try {
        const { port } = other.address() as AddressInfo;
        const both = [run('--port', String(port)), run('--port', String(port - 1))];
        expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([1, 1]);
        for (const { text } of both) expect(text()).toContain(`Port ${port} is taken`);
        expect(both[0]?.text()).toContain(`npm run demo -- --port ${port + 10}`);
      } finally {
        other.close();
      }
    },
  );

  it('refuses what it does not know, and helps', { timeout: 60_000 }, async () => {
    const wrong = [run('--port', '70000'), run('--prot', '1')];
    const help = run('--help');
    expect(await Promise.all([...wrong, help].map(({ ended }) => ended))).toEqual([2, 2, 0]);
    expect(wrong[0]?.text()).toContain('--port is 70000; a whole number from 0 to 65534 is needed');
    expect(wrong[1]?.text()).toContain("Unknown option '--prot'");
    expect(help.text()).toContain('npm run demo -- --port 5000');
  });
});
