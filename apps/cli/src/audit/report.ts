import { writeFile } from 'node:fs/promises';
import type { AttackResult, RocPoint } from '@tutti/audit';
import { escapeHtml } from '../report/html.ts';
import { figure } from './lines.ts';

const STYLE = `
:root{color-scheme:light dark;--ink:#1d2330;--soft:#667;--paper:#fff;--line:#dde;--accent:#3355cc;--bad:#c02}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaf2;--soft:#99a;--paper:#14161d;--line:#333848;--accent:#8aa4ff;--bad:#f66}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{margin:0}p.sub{color:var(--soft);margin-top:.2rem}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}td.n{text-align:right;white-space:nowrap}
.broken,.blunt{color:var(--bad);font-weight:700}.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1.5rem}
figure{margin:0}figcaption{font-size:.85rem}svg{width:100%;height:auto;border:1px solid var(--line)}small{color:var(--soft)}
pre{overflow:auto;padding:1rem;border:1px solid var(--line);border-radius:.4rem}`;

/** Side of a plot, in its own units. */
const SIDE = 200;

/** Writes one self-contained page: every attack with its statistic, and a ROC curve where there is one. */
export async function writeAuditReport(
  path: string,
  attacks: readonly AttackResult[],
  options: Readonly<Record<string, unknown>>,
): Promise<void> {
  await writeFile(path, auditReport(attacks, options));
}

/** The page. No script is in it: the curves are drawn as SVG. */
export function auditReport(
  attacks: readonly AttackResult[],
  options: Readonly<Record<string, unknown>>,
): string {
  const curves = attacks.filter(({ roc }) => roc !== undefined && roc.length > 1);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Tutti audit</title><style>${STYLE}</style></head><body>
<h1>Tutti audit</h1><p class="sub">${attacks.length} attacks, with and without their defences. Exposed: nothing defends there, and the attack finds what it looks for.</p>
<table><thead><tr><th>attack</th><th>defence</th><th>value</th><th>bound</th><th>verdict</th></tr></thead><tbody>
${attacks.map(rowOf).join('\n')}
</tbody></table>
<h2>ROC curves</h2><div class="charts">${curves.map(chartOf).join('\n')}</div>
<h2>Options</h2><pre>${escapeHtml(JSON.stringify(options, null, 2))}</pre>
</body></html>
`;
}

function rowOf({ name, defence, statistic, value, bound, verdict, interval, figures }: AttackResult): string {
  const range = interval === undefined ? '' : ` [${figure(interval[0])}, ${figure(interval[1])}]`;
  const more = Object.entries(figures ?? {}).map(
    ([key, held]) => `${key} ${typeof held === 'number' ? figure(held) : held}`,
  );
  const sign = verdict === 'exposed' || verdict === 'blunt' ? '≥' : '≤';
  return `<tr><td>${escapeHtml(name)}<br><small>${escapeHtml([statistic, ...more].join('; '))}</small></td><td>${escapeHtml(defence)}</td><td class="n">${figure(value)}${range}</td><td class="n">${sign} ${figure(bound)}</td><td class="${verdict}">${verdict}</td></tr>`;
}

function chartOf({ name, defence, roc, value }: AttackResult): string {
  const points = (roc as readonly RocPoint[])
    .map(([x, y]) => `${(SIDE * x).toFixed(1)},${(SIDE * (1 - y)).toFixed(1)}`)
    .join(' ');
  return `<figure><svg viewBox="-2 -2 ${SIDE + 4} ${SIDE + 4}" role="img" aria-label="${escapeHtml(`ROC curve: ${name}, ${defence}`)}"><line x1="0" y1="${SIDE}" x2="${SIDE}" y2="0" stroke="var(--soft)" stroke-dasharray="4"/><polyline points="${points}" fill="none" stroke="var(--accent)" stroke-width="2"/></svg><figcaption>${escapeHtml(name)}<br><small>${escapeHtml(defence)}: ${figure(value)}</small></figcaption></figure>`;
}
