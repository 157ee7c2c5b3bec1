/** Nothing but what the coordinator serves, and no page of anybody else around it. Charts place their parts by style attributes. */
export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const;

const STYLE = `
:root{color-scheme:light dark;--ink:#1d2330;--soft:#5a6075;--paper:#f6f7fb;--card:#fff;--line:#dcdfea;--accent:#3355cc;--second:#b3541e;--good:#1f7a54;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaf2;--soft:#a3a9bd;--paper:#12141b;--card:#1b1e28;--line:#333848;--accent:#8aa4ff;--second:#f0a06c;--good:#6fd0a3;--bad:#ff8a80}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0}
main{max-width:76rem;margin:0 auto;padding:1rem}
header{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:baseline;padding:1rem;max-width:76rem;margin:0 auto}
h1{font-size:1.35rem;margin:0}h2{font-size:1.15rem;margin:0 0 .5rem}h3{font-size:1rem;margin:0 0 .4rem}
.soft{color:var(--soft)}.live::before{content:'● '}.live{color:var(--good)}.gone{color:var(--bad)}
section.task{margin-bottom:2.5rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:.5rem 0 1rem;padding:0}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.75rem 1rem;margin:0}
.tiles dt{color:var(--soft);font-size:.85rem}.tiles dd{margin:0;font-size:1.3rem;font-variant-numeric:tabular-nums}.tiles dd small{font-size:.8rem;color:var(--soft);display:block}
.phases{list-style:none;display:flex;flex-wrap:wrap;gap:.4rem;padding:0;margin:0 0 .5rem}
.phases li{border:1px solid var(--line);border-radius:1rem;padding:.1rem .7rem;font-size:.85rem;color:var(--soft)}
.phases li[aria-current]{background:var(--accent);border-color:var(--accent);color:var(--card)}
progress,meter{width:100%;height:.8rem;accent-color:var(--accent)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:.75rem;margin:1rem 0}
figure{margin:0}figcaption{font-weight:600;margin-bottom:.25rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}code{font-size:.85em}
button{font:inherit;color:var(--ink);background:var(--card);border:1px solid var(--soft);border-radius:.4rem;padding:.2rem .8rem;cursor:pointer}
button.stop{border-color:var(--bad);color:var(--bad)}
.steps{display:flex;flex-wrap:wrap;gap:.5rem;margin:.5rem 0}
.operator{display:flex;flex-wrap:wrap;gap:.5rem;align-items:baseline;margin-left:auto}.operator[open],details.operator{display:block}
.operator form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:baseline;margin-top:.4rem}.operator p{margin:0}
input{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--soft);border-radius:.4rem;padding:.2rem .5rem;max-width:100%}
dialog{color:var(--ink);background:var(--card);border:1px solid var(--line);border-radius:.6rem;max-width:32rem}dialog::backdrop{background:#0008}
.u-legend{font-size:.8rem}.u-legend th{font-weight:400}
`;

/** The page; its script draws everything. */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Tutti coordinator</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<div id="app"><main><p>Asking the coordinator …</p><noscript>This page needs JavaScript. The same as JSON: <a href="/v1/status">/v1/status</a></noscript></main></div>
<script type="module" src="/dashboard.js"></script>
</body>
</html>
`;
