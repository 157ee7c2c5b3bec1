import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** A line of a chart: a value (or a gap) for each place of its x axis. */
export interface Series {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** Bounds of each value, drawn as a bar through it. */
  readonly intervals?: readonly (readonly [low: number, high: number])[];
}

/** A chart with one or more lines over the same places. */
export interface Chart {
  readonly title: string;
  /** Numbers of the x axis, or names, which stand side by side with a dot each. */
  readonly x: readonly number[] | readonly string[];
  readonly xLabel: string;
  readonly series: readonly Series[];
}

/** Headings and rows of text. */
export interface HtmlTable {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A part of the page: whatever it has is shown in this order. */
export interface Section {
  readonly heading: string;
  readonly tables?: readonly HtmlTable[];
  readonly notes?: readonly string[];
  readonly charts?: readonly Chart[];
  /** A long table behind a summary. */
  readonly folded?: { readonly summary: string; readonly table: HtmlTable };
}

/** What the page shows: plain data, no code. */
export interface ReportContent {
  readonly title: string;
  readonly subtitle: string;
  readonly sections: readonly Section[];
  readonly config: unknown;
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1d2330;--soft:#667;--paper:#fff;--line:#dde;--accent:#3355cc}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaf2;--soft:#99a;--paper:#14161d;--line:#333848;--accent:#8aa4ff}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:68rem;margin:2rem auto;padding:0 1rem}
h1{margin:0}p.sub{color:var(--soft);margin-top:.2rem}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1.5rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin-bottom:1rem}th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left}pre{overflow:auto;padding:1rem;border:1px solid var(--line);border-radius:.4rem}
.wide{overflow-x:auto}details{margin:1rem 0}.u-legend{font-size:.85rem}figure{margin:0}figcaption{font-weight:600}`;

const SCRIPT = `
const charts=JSON.parse(document.getElementById('data').textContent);
const look=getComputedStyle(document.documentElement);
const [ink,accent,grid]=['--ink','--accent','--line'].map((name)=>look.getPropertyValue(name));
const colours=[accent,'#e07b39','#2a9d6f','#b5489a','#c9a227','#7a7f8c','#4bb3c9'];
const short=(value)=>Math.abs(value)>=1e6?value/1e6+' M':Math.abs(value)>=1e4?value/1e3+' k':String(value);
const bars=(chart)=>(plot)=>chart.series.forEach((line,n)=>(line.intervals||[]).forEach(([low,high],at)=>{
  const x=plot.valToPos(chart.places[at],'x',true);const ctx=plot.ctx;
  ctx.save();ctx.strokeStyle=colours[n%colours.length];ctx.lineWidth=2*devicePixelRatio;ctx.beginPath();
  ctx.moveTo(x,plot.valToPos(low,'y',true));ctx.lineTo(x,plot.valToPos(high,'y',true));ctx.stroke();ctx.restore();}));
const within=(low,high)=>{const room=(high-low||1)*.08;return [low-room,high+room];};
for(const chart of charts){
  const names=typeof chart.x[0]==='string'?chart.x:undefined;
  chart.places=names?chart.x.map((_,at)=>at):chart.x;
  const figure=document.createElement('figure');const caption=document.createElement('figcaption');
  caption.textContent=chart.title;figure.append(caption);document.getElementById('charts-'+chart.section).append(figure);
  const axis={stroke:ink,grid:{stroke:grid},ticks:{stroke:grid}};
  const bounds=chart.series.flatMap((line)=>[...line.values,...(line.intervals||[]).flat()]).filter((value)=>value!==null);
  const scales={x:{time:false,...(names?{range:[-.5,names.length-.5]}:{})},y:names?{range:within(Math.min(...bounds),Math.max(...bounds))}:{}};
  const xAxis=names?{...axis,splits:chart.places,values:(_,at)=>at.map((n)=>names[n]??''),grid:{show:false},rotate:-30,size:70}:axis;
  const lines=chart.series.map((line,n)=>({label:line.label,stroke:colours[n%colours.length],width:2,spanGaps:true,
    ...(names?{paths:()=>null,points:{show:true,size:9,fill:colours[n%colours.length]}}:{points:{show:chart.x.length<60}})}));
  const plot=new uPlot({width:figure.clientWidth||420,height:280,scales,hooks:{draw:[bars(chart)]},
    axes:[xAxis,{...axis,size:60,values:(_,ticks)=>ticks.map(short)}],
    series:[{label:chart.xLabel,value:(_,at)=>at===null?'–':names?names[at]??'':at},...lines]},
    [chart.places,...chart.series.map((line)=>line.values)],figure);
  addEventListener('resize',()=>plot.setSize({width:figure.clientWidth,height:280}));
}`;

/** One self-contained page with charts, tables and the configuration; opens offline, loads nothing. */
export function renderReport({ title, subtitle, sections, config }: ReportContent): string {
  const { script, style } = plottingLibrary();
  const charts = sections.flatMap(({ charts = [] }, section) =>
    charts.map((chart) => ({ ...chart, section })),
  );
  const data = JSON.stringify(charts).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(title)}</title><style>${style}${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1><p class="sub">${escapeHtml(subtitle)}</p>
${sections.map(htmlSection).join('\n')}
<h2>Configuration</h2><pre>${escapeHtml(JSON.stringify(config, null, 2))}</pre>
<script type="application/json" id="data">${data}</script><script>${script}</script><script>${SCRIPT}</script>
</body></html>
`;
}

/** A chart of one curve over the rounds for each of `curves`, which are named by their titles. */
export function roundCharts(
  rounds: readonly number[],
  curves: Readonly<Record<string, readonly (number | null)[]>>,
): Chart[] {
  return Object.entries(curves).map(([title, values]) => ({
    title,
    x: rounds,
    xLabel: 'round',
    series: [{ label: 'value', values }],
  }));
}

function htmlSection({ heading, tables = [], notes = [], charts = [], folded }: Section, at: number): string {
  return [
    `<h2>${escapeHtml(heading)}</h2>`,
    ...tables.map(htmlTable),
    ...notes.map((note) => `<p class="sub">${escapeHtml(note)}</p>`),
    charts.length === 0 ? '' : `<div class="charts" id="charts-${at}"></div>`,
    folded === undefined
      ? ''
      : `<details><summary>${escapeHtml(folded.summary)}</summary>${htmlTable(folded.table)}</details>`,
  ].join('\n');
}

function plottingLibrary(): { script: string; style: string } {
  const require = createRequire(import.meta.url);
  return {
    script: readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8'),
    style: readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8'),
  };
}

function htmlTable({ headings, rows }: HtmlTable): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table><thead>${cells('th', headings)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table></div>`;
}

/** Text as HTML text: titles come from data sets. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
