import { runCli } from './cli.ts';
import { endWithReader } from './signals.ts';

endWithReader();
process.exitCode = await runCli(process.argv.slice(2));
// A TensorFlow backend or an idle keep-alive socket may hold the event loop; the work is done.
if (process.exitCode !== undefined) process.exit();
