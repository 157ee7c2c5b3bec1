import { spawn } from 'node:child_process';

/** The environment of every step: one core of plain output, whatever the caller's shell has set. */
export function plainEnvironment(extra = {}) {
  const environment = { ...process.env };
  for (const name of Object.keys(environment)) {
    if (/^(NX_|VITEST|NODE_OPTIONS$|NODE_ENV$|FORCE_COLOR$|npm_config_nodedir$)/.test(name))
      delete environment[name];
  }
  return { ...environment, NX_DAEMON: 'false', NX_TUI: 'false', NO_COLOR: '1', ...extra };
}

/**
 * Runs `command`, passing its output through and collecting it.
 * @returns the exit code (124 when it ran past `limitMs`) and the output.
 */
export function run(command, args, { cwd, env, limitMs, quiet = false }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let output = '';
    let late = false;
    const stop = (signal) => {
      try {
        process.kill(-child.pid, signal); // the whole group: nx and vitest have children of their own
      } catch {
        // it has ended already
      }
    };
    const timer = setTimeout(() => {
      late = true;
      stop('SIGKILL');
    }, limitMs);
    const interrupt = () => stop('SIGTERM');
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    const take = (chunk) => {
      output += chunk;
      if (!quiet) process.stdout.write(chunk);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => take(`${command}: ${error.message}\n`));
    child.on('close', (code) => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
      resolve({ code: late ? 124 : (code ?? 1), output });
    });
  });
}
