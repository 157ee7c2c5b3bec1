import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leaveNothing, undoAtEnd } from './leaving.ts';

/** A run as `npm run chaos` is one: it starts a process that starts another one, which does not want to end, has files, and waits for a signal. */
leaveNothing();
const folder = mkdtempSync(join(tmpdir(), 'tutti-test-'));
const shell = `trap '' TERM INT HUP; sleep 600 & echo $! > ${folder}/pids; echo $$ >> ${folder}/pids; echo ${folder}; wait`;
const child = spawn('sh', ['-c', shell], { stdio: ['ignore', 'inherit', 'ignore'] });
undoAtEnd(() => process.stdout.write('undone\n'));
// Starts again what is killed, as a run does that is in the middle of something.
child.on('exit', () => spawn('sleep', ['600']));
