// The table of invariants is true: what it names exists, and whatever nothing checks says what it waits for.
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { SCENARIOS } from '../../lab/scenarios/index.ts';
import { ENFORCED, SAFETY_FILE, safetyText } from '../../scripts/invariants.ts';
import { INVARIANTS } from '../../src/sim/invariants.ts';
import { WORLDS } from '../../src/sim/worlds.ts';

const textOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
/** How an oracle says that an invariant is broken. */
const violates = (text: string, number: number): boolean =>
  new RegExp(`(?:\\b(?:violate|say)\\(\\s*|\\binvariant: |\\[\\s*)${number}\\b`).test(text);

t.test('every invariant of design §11 stands in it once', async (t) => {
  t.strictSame(
    INVARIANTS.map(({ number }) => number),
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
});

t.test('each is checked by something, or says what it waits for', async (t) => {
  for (const { number, checks, waitsFor } of INVARIANTS) t.ok(checks.length > 0 || waitsFor !== null, `${number}`);
});

t.test('what it names exists', async (t) => {
  const scenarios = new Set(SCENARIOS.map(({ name }) => name));
  const worlds = new Set(WORLDS.map(({ name }) => name));
  for (const { number, checks } of INVARIANTS)
    for (const check of checks) {
      if (check.by === 'simulator') {
        t.ok(worlds.has(check.world), `${number}: there is a world ${check.world}`);
        t.ok(violates(textOf(check.file), number), `${number}: ${check.file} says so by its number`);
      } else if (check.by === 'test') {
        t.ok(textOf(check.file).includes(check.title), `${number}: ${check.file} has "${check.title}"`);
      } else t.ok(scenarios.has(check.scenario), `${number}: the lab has ${check.scenario}`);
    }
});

t.test('a number that no oracle says is found missing', async (t) => {
  t.notOk(violates('this.violate(18, ``)', 1));
  t.ok(violates('this.#violate(\n        3,', 3));
});

t.test('docs/safety.md has the table as it is, and what it says enforces each is there', async (t) => {
  const page = readFileSync(SAFETY_FILE, 'utf8');
  t.equal(page, safetyText(page), 'otherwise: node scripts/invariants.ts');
  t.equal(ENFORCED.length, INVARIANTS.length);
  for (const [index, files] of ENFORCED.entries())
    for (const file of files) t.ok(existsSync(file), `${index + 1}: ${file}`);
});
