/**
 * `npm run fuzz`: hostile inputs against everything that strangers, people and files may give to failoverd.
 *
 *     npm run fuzz -- --inputs 100000 --seed 7 --target webhooks
 *
 * Exit 0: everything held. Exit 1: something did not; the input that shows it is printed, and the same seed gives it again.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fuzz, TARGETS } from './run.ts';

const MOST_INPUTS = 10_000_000;
const LONGEST_REPORT = 4_000;
/** Held at the end by all that was made anew again and again; far more than one of each takes. */
const MOST_HEAP_BYTES = 1024 * 1024 * 1024;

const { values } = parseArgs({
  options: { inputs: { type: 'string' }, seed: { type: 'string' }, target: { type: 'string' } },
});
const inputs = Number(values.inputs ?? 100_000);
const seed = Number(values.seed ?? randomInt(2 ** 31));
const targets = TARGETS.filter(({ name }) => values.target === undefined || name === values.target);
if (
  !Number.isInteger(inputs) ||
  inputs < 1 ||
  inputs > MOST_INPUTS ||
  !Number.isInteger(seed) ||
  targets.length === 0
) {
  console.error(
    `fuzz [--inputs 1..${MOST_INPUTS}] [--seed NUMBER] [--target ${TARGETS.map(({ name }) => `"${name}"`).join('|')}]`,
  );
  process.exit(2);
}

console.log(`seed ${seed}`);
const began = performance.now();
const results = await fuzz({
  inputs,
  seed,
  targets,
  tell({ target, inputs, tookMs, heapBytes, violation }) {
    const rate = Math.round((inputs / tookMs) * 1000);
    const heap = `${Math.round(heapBytes / 1024 / 1024)} MiB held`;
    console.log(
      `${target.padEnd(16)}${String(inputs).padStart(8)} inputs ${String(rate).padStart(6)}/s  ${heap}${violation === null ? '' : '  VIOLATION'}`,
    );
    if (violation !== null) console.log(violation.slice(0, LONGEST_REPORT));
  },
});
const violations = results.filter(({ violation }) => violation !== null).length;
const bloated = results.filter(({ heapBytes }) => heapBytes > MOST_HEAP_BYTES).length;
const total = results.reduce((sum, result) => sum + result.inputs, 0);
const perSecond = Math.round((total / (performance.now() - began)) * 1000);
console.log(`${total} inputs, ${perSecond}/s, seed ${seed}, ${violations + bloated} violations`);
process.exitCode = violations + bloated === 0 ? 0 : 1;
