// Runs a measurement by its file's name: `npm run bench -- relay`. Each exports `run()` and prints its figures.
import { readdirSync } from 'node:fs';

const notBenches = new Set(['run.ts']);
const benches = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && !notBenches.has(file) && !file.startsWith('_'))
  .map((file) => file.replace(/\.ts$/, ''));

const [name = ''] = process.argv.slice(2);
if (!benches.includes(name)) {
  console.error(`usage: npm run bench -- ${benches.join('|')}`);
  process.exit(2);
}
const bench = (await import(`./${name}.ts`)) as { run(): Promise<void> };
await bench.run();
process.exit(0);
