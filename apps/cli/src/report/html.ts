import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** One curve: a value (or a gap) for each round. */
export interface Curve {
  readonly title: string;
  readonly values: readonly (number | null)[];
}

/** What the page shows: plain data, no code. */
export interface ReportContent {
  readonly title: string;
  readonly subtitle: string;
  readonly rounds: readonly number[];
  readonly curves: readonly Curve[];
  readonly table: { readonly headings: readonly string[]; readonly rows: readonly (readonly string[])[] };
  readonly roundTable: {
    readonly headings: readonly string[];
    readonly rows: readonly (readonly string[])[];
  };
  readonly config: unknown;
  readonly notes: readonly string[];
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1d2330;--soft:#667;--paper:#fff;--line:#dde;--accent:#3355cc}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaf2;--soft:#99a;--paper:#14161d;--line:#333848;--accent:#8aa4ff}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:68rem;margin:2rem auto;padding:0 1rem}
h1{margin:0}p.sub{color:var(--soft);margin-top:.2rem}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1.5rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left}pre{overflow:auto;padding:1rem;border:1px solid var(--line);border-radius:.4rem}
details{margin:1rem 0}.u-legend{font-size:.85rem}figure{margin:0}figcaption{font-weight:600}`;

const SCRIPT = `
const data=JSON.parse(document.getElementById('data').textContent);
const ink=getComputedStyle(document.documentElement).getPropertyValue('--ink');
const accent=getComputedStyle(document.documentElement).getPropertyValue('--accent');
const grid=getComputedStyle(document.documentElement).getPropertyValue('--line');
for(const curve of data.curves){
  const figure=document.createElement('figure');const caption=document.createElement('figcaption');
  caption.textContent=curve.title;figure.append(caption);document.getElementById('charts').append(figure);
  const axis={stroke:ink,grid:{stroke:grid},ticks:{stroke:grid}};
  const short=(value)=>Math.abs(value)>=1e6?value/1e6+' M':Math.abs(value)>=1e4?value/1e3+' k':String(value);
  const plot=new uPlot({width:figure.clientWidth||420,height:240,scales:{x:{time:false}},axes:[{...axis},{...axis,size:60,values:(_,ticks)=>ticks.map(short)}],
    series:[{label:'round'},{label:'value',stroke:accent,width:2,spanGaps:true,points:{show:data.rounds.length<60}}]},[data.rounds,curve.values],figure);
  addEventListener('resize',()=>plot.setSize({width:figure.clientWidth,height:240}));
}`;

/** One self-contained page with curves, tables and the configuration; opens offline, loads nothing. */
export function renderReport(content: ReportContent): string {
  const { script, style } = plottingLibrary();
  const data = JSON.stringify({ rounds: content.rounds, curves: content.curves }).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(content.title)}</title><style>${style}${STYLE}</style></head><body>
<h1>${escapeHtml(content.title)}</h1><p class="sub">${escapeHtml(content.subtitle)}</p>
<h2>Result</h2>${htmlTable(content.table)}
${content.notes.map((note) => `<p class="sub">${escapeHtml(note)}</p>`).join('')}
<h2>Rounds</h2><div class="charts" id="charts"></div>
<details><summary>Every round</summary>${htmlTable(content.roundTable)}</details>
<h2>Configuration</h2><pre>${escapeHtml(JSON.stringify(content.config, null, 2))}</pre>
<script type="application/json" id="data">${data}</script><script>${script}</script><script>${SCRIPT}</script>
</body></html>
`;
}

function plottingLibrary(): { script: string; style: string } {
  const require = createRequire(import.meta.url);
  return {
    script: readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8'),
    style: readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8'),
  };
}

function htmlTable({ headings, rows }: ReportContent['table']): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table><thead>${cells('th', headings)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table>`;
}

/** Text as HTML text: titles come from data sets. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
