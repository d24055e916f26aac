const {execFileSync}=require('child_process');
const [,, sp, ...rest]=process.argv;
const i=rest.indexOf('--sp'); const g=rest.slice(0,i), s=rest.slice(i+1);
let a; try { a=execFileSync('ssh',['-G',...g],{stdio:['ignore','pipe','ignore']}).toString() } catch(e) { a=null }
let b; try { b=JSON.parse(execFileSync(sp,['host',...s,'--json'],{stdio:['ignore','pipe','pipe']}).toString()) } catch(e) { b=null; var be=e.stderr.toString() }
if(a===null||b===null){ console.log(g.join(' '),'ssh',a===null?'fails':'ok','sallyport',b===null?'fails '+be:'ok'); process.exit()}
const m={}; for(const l of a.trim().split('\n')){const k=l.split(' ',1)[0]; (m[k]??=[]).push(l.slice(k.length+1))}
const arr=new Set(['identityfile','certificatefile','localforward','remoteforward','dynamicforward']);
let bad=0; for(const [k,v] of Object.entries(m)){const w=b[k]; const exp=arr.has(k)?v:(v.length===1?v[0]:v); if(JSON.stringify(w)!==JSON.stringify(exp)){bad++;console.log('DIFF',k,JSON.stringify(exp),JSON.stringify(w))}}
for(const k of Object.keys(b)) if(!(k in m)&&!['carrier','why'].includes(k)&&!(arr.has(k)&&b[k].length===0)) {bad++;console.log('EXTRA',k,b[k])}
console.log(g.join(' '),'keys',Object.keys(m).length,'bad',bad,b.carrier,'|',b.why)
