import { runCommand } from './command.ts';

process.exitCode = await runCommand(process.argv.slice(2));
// An idle keep-alive socket may hold the event loop; the work is done.
process.exit();
