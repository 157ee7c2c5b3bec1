import type { Judgement, SignedManifest } from '@tutti/coordination';
import { CHANNELS, type Channel, type Manifest, type SignedPromotion } from '@tutti/protocol';
import { Command, Option } from 'commander';
import { ask } from '../admin/ask.ts';
import { EXPORT_FORMATS, exportModel, type ExportFormat } from '../admin/export-model.ts';
import { adminCommand, tokenOf, type AdminFlags } from '../admin/options.ts';
import { wholeNumber } from '../parse.ts';
import { cellsLine, figure, headingLine, type Column } from '../ui/table.ts';

const EXAMPLES = `
Examples:
  tutti model list films
  tutti model promote films 120 --channel canary
  tutti model rollback films --channel stable
  tutti model export films 120 --out films-120.safetensors

Devices rank with what is on channel stable (those that ask for it, canary), and with the newest model while nothing is there. Rounds go on
from the newest in any case. docs/operations.md says more.`;

type ModelFlags = AdminFlags & { readonly channel: Channel };

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const pathOf = (task: string, ...rest: string[]): string =>
  ['', 'tasks', task, ...rest].map(encodeURIComponent).join('/');

const channelOption = (): Option =>
  new Option('--channel <name>', 'which channel').choices([...CHANNELS]).default('stable');

export function modelCommand(): Command {
  const command = new Command('model')
    .description('the models of a task: list, show, promote, rollback, export')
    .addHelpText('after', EXAMPLES);
  for (const sub of [list(), show(), promote(), rollback(), exportCommand()]) command.addCommand(sub);
  return command;
}

const COLUMNS: readonly Column[] = [
  { heading: 'round', width: 6, align: 'right' },
  { heading: 'manifest', width: 12 },
  { heading: 'kind', width: 9 },
  { heading: 'in the sum', width: 10, align: 'right' },
  { heading: 'HR@10', width: 6, align: 'right' },
  { heading: 'NDCG@10', width: 7, align: 'right' },
  { heading: 'ε', width: 8, align: 'right' },
  { heading: 'channels', width: 8 },
];

function cellsOf(manifest: Manifest, hash: string, channels: readonly string[]): string[] {
  const { round, kind, cohort, metrics, epsilon } = manifest;
  const spent = epsilon?.coordinator ?? epsilon?.readers;
  return [
    ...[String(round), hash.slice(0, 12), kind, cohort === null ? '–' : String(cohort.reported)],
    ...[figure(metrics?.hr10), figure(metrics?.ndcg10), figure(spent), channels.join(', ')],
  ];
}

function list(): Command {
  return adminCommand('list', 'the newest models, and which channels they are on')
    .argument('<task>', 'its name')
    .option('--limit <n>', 'how many', wholeNumber(1, 1_000), 20)
    .addHelpText(
      'after',
      `
Examples:
  tutti model list films
  tutti model list films --limit 100 --json    { models: [{ hash, manifest, channels }], next }`,
    )
    .action(async (task: string, flags: AdminFlags & { limit: number }) => {
      const answer = (await ask({ ...flags, path: `${pathOf(task, 'models')}?limit=${flags.limit}` })) as {
        models: { hash: string; manifest: Manifest; channels: string[] }[];
      };
      if (flags.json === true) return print(JSON.stringify(answer));
      print(headingLine(COLUMNS));
      for (const { manifest, hash, channels } of answer.models)
        print(cellsLine(COLUMNS, cellsOf(manifest, hash, channels)));
    });
}

function show(): Command {
  return adminCommand('show', 'a model: its manifest, signed')
    .argument('<task>', 'its name')
    .argument('<model>', 'a round, or the hash of a manifest')
    .addHelpText(
      'after',
      `
Examples:
  tutti model show films 120
  tutti model show films 120 --json    { hash, manifest, signature, channels, kept, judged }`,
    )
    .action(async (task: string, model: string, flags: AdminFlags) => {
      const signed = (await ask({ ...flags, path: pathOf(task, 'models', model) })) as SignedManifest;
      if (flags.json === true) return print(JSON.stringify(signed));
      print(JSON.stringify(signed, null, 2));
      if (signed.judged !== null) print(judgedLine(signed.judged));
    });
}

/** How a candidate was judged, with its interval. */
export function judgedLine({ verdict, metric, difference, low, high, people, looks }: Judgement): string {
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
  const interval = `${signed(difference)}, from ${signed(low)} to ${signed(high)}`;
  return `judged: ${verdict}; ${metric.toUpperCase()} ${interval}, over ${Math.round(people)} people in ${looks} looks`;
}

function promote(): Command {
  return adminCommand('promote', 'put a model on a channel', 'operate')
    .argument('<task>', 'its name')
    .argument('<model>', 'a round, or the hash of a manifest')
    .addOption(channelOption())
    .addHelpText(
      'after',
      `
Examples:
  tutti model promote films 120
  tutti model promote films 120 --channel canary --token-file operator.token --json

Its checkpoint must still be there: the newest are kept (keepCheckpoints), and those on channels.`,
    )
    .action(async (task: string, model: string, flags: ModelFlags) => {
      const token = await tokenOf(flags);
      const path = pathOf(task, 'models', model, 'promote');
      const body = { channel: flags.channel };
      printChannel(await ask({ ...flags, token, method: 'POST', path, body }), flags);
    });
}

function rollback(): Command {
  return adminCommand(
    'rollback',
    'take the last model off a channel: the one before it is there again',
    'operate',
  )
    .argument('<task>', 'its name')
    .addOption(channelOption())
    .addHelpText(
      'after',
      `
Examples:
  tutti model rollback films
  tutti model rollback films --channel canary --token-file operator.token --json

Where there was none before, devices rank with the newest model again.`,
    )
    .action(async (task: string, flags: ModelFlags) => {
      const token = await tokenOf(flags);
      const path = pathOf(task, 'channels', flags.channel, 'rollback');
      printChannel(await ask({ ...flags, token, method: 'POST', path }), flags);
    });
}

function printChannel(answer: unknown, { json }: AdminFlags): void {
  if (json === true) return print(JSON.stringify(answer));
  const { promotion, manifest } = answer as SignedPromotion;
  print(
    manifest === null
      ? `channel ${promotion.channel} has no model: devices rank with the newest`
      : `channel ${promotion.channel} has the model of round ${manifest.round} (${promotion.manifest?.slice(0, 12) ?? ''})`,
  );
}

function exportCommand(): Command {
  return adminCommand('export', 'write a model for other programs')
    .argument('<task>', 'its name')
    .argument('<model>', 'a round, or the hash of a manifest')
    .requiredOption('--out <path>', 'the file; a folder for tfjs')
    .addOption(
      new Option('--format <name>', 'safetensors, or what tf.loadLayersModel opens')
        .choices([...EXPORT_FORMATS])
        .default('safetensors'),
    )
    .addHelpText(
      'after',
      `
Examples:
  tutti model export films 120 --out films-120.safetensors            and films-120.safetensors.manifest.json
  tutti model export films 120 --format tfjs --out films-120 --json   { format, files, hash, round }

A tfjs model takes a person's vector and the number of an item, and gives the item's score. Vectors stay on devices: none is in it.`,
    )
    .action(
      async (task: string, model: string, flags: AdminFlags & { out: string; format: ExportFormat }) => {
        const { coordinator, out, format } = flags;
        const signed = (await ask({ ...flags, path: pathOf(task, 'models', model) })) as SignedManifest;
        const exported = await exportModel({ coordinator, task }, signed, { format, out });
        if (flags.json === true) return print(JSON.stringify(exported));
        print(`the model of round ${exported.round}, in ${exported.files.join(', ')}`);
      },
    );
}
