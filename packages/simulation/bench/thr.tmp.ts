import fs from 'node:fs';
import { loadDataset } from '@tutti/datasets/node';
import { simulate } from '../src/index.ts';
const dataset = await loadDataset('/work/shared/data/ml-1m');
const ctl = new AbortController();
const snap=()=>new Map(fs.readdirSync('/proc/self/task').map(t=>{try{const s=fs.readFileSync(`/proc/self/task/${t}/stat`,'utf8');const f=s.slice(s.lastIndexOf(')')+2).split(' ');return [t,[s.slice(s.indexOf('(')+1,s.lastIndexOf(')')),+f[11]!,+f[12]!]] as const;}catch{return [t,['',0,0]] as const}}));
let a:any; let t0=0;
await simulate({ model: { family: 'mlp' }, dataset, rounds: 10, cohort: 6040, seed: 1, protocol: 'plain', signal: ctl.signal,
  onRound(rep: any) { if (rep.round===2) {a=snap();t0=performance.now();} if (rep.round===7) { const b=snap(); const n=5*6040; console.log('wall clients/s',n/(performance.now()-t0)*1e3); for (const [t,[name,u,s]] of b) { const p=a.get(t)??['',0,0]; const du=(u-p[1])*10/n, ds=(s-p[2])*10/n; if (du+ds>0.005) console.log(t,name,'user ms/client',du.toFixed(3),'sys',ds.toFixed(3)); } ctl.abort(); } } } as any).catch(()=>{});
process.exit(0);
