/**
 * What a row of the matrix asks for, as an expression in CEL over the facts of `row-facts.ts`. PURE.
 *
 * The language is a small part of CEL: `ok()`, `bad()`, `unknown()`, comparisons of numbers, `&&`, `||` and brackets.
 * So every row can be explained in a sentence, has an example that can be computed, and its logic is Kleene's: what is
 * unknown makes it unknown, unless the rest decides alone.
 *
 * Refused when the config is loaded: negation, in all its disguises (`!`, `? :`, comparing truths), since `!bad(x)` reads
 * like "x is well" and unknown must never pass for well; and everything that is not needed (functions, lists, macros).
 */
import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js';
import { distance } from 'fastest-levenshtein';
import type { Verdict } from './primitives.ts';
import { type MetricFact, metricFactName, type ReadableFact, ROW_FACTS, type RowFactSpec } from './row-facts.ts';

/** A value at one instant; null = unknown. */
export type RowValues = { readonly [fact in ReadableFact]?: Verdict | number | null };
/** `unknown` = it can't be told whether the row matches. */
export type RowAnswer = 'yes' | 'no' | 'unknown';

export type Threshold = { readonly fact: ReadableFact; readonly number: number };
export type Expression = {
  readonly text: string;
  /** In the order in which they stand, each once. */
  readonly facts: readonly ReadableFact[];
  readonly typeOf: (fact: ReadableFact) => RowFactSpec['type'] | undefined;
  /** Numbers that facts are compared with: where the answer may turn. */
  readonly thresholds: readonly Threshold[];
  readonly answer: (values: RowValues) => RowAnswer;
};

export type ExpressionRefusal = {
  readonly code: 'bad-expression' | 'unknown-fact' | 'negated-fact' | 'not-in-rows';
  readonly message: string;
  readonly remedy: string;
  /** Offsets into the text. */
  readonly start: number;
  readonly end: number;
};
export type Compiled =
  | { readonly kind: 'expression'; readonly expression: Expression }
  | ({ readonly kind: 'refused' } & ExpressionRefusal);

const LONGEST = 500;
const LIMITS = { maxAstNodes: 300, maxDepth: 30 };
const READERS = ['ok', 'bad', 'unknown'] as const;
type Reader = (typeof READERS)[number];

/** Thrown by a reader, and taken by the evaluator as the error that Kleene's `&&` and `||` know how to weigh. */
class FactUnknown extends Error {}
/** One for all: nobody reads its stack, and to write one down is most of what a judgement would cost. */
const FACT_UNKNOWN = new FactUnknown();

class VerdictFact {
  readonly value: Verdict;
  constructor(value: Verdict) {
    this.value = value;
  }
}

const READ: Readonly<Record<Reader, (fact: VerdictFact) => boolean>> = {
  ok: (fact) => known(fact) === 'ok',
  bad: (fact) => known(fact) === 'bad',
  unknown: (fact) => fact.value === 'unknown',
};

function known({ value }: VerdictFact): Verdict {
  if (value === 'unknown') throw FACT_UNKNOWN;
  return value;
}

type Place = { readonly subject: string; readonly field: string; readonly type: RowFactSpec['type'] };

/** What the rows of one group may read: facts that every group has, and those its config names. */
type Language = {
  readonly environment: Environment;
  readonly places: ReadonlyMap<string, Place>;
  readonly compiled: Map<string, Compiled>;
};

/** More texts than any config has rows, and more sets of names than it has groups: what is kept stays bounded. */
const MOST_KEPT = 5000;
const NO_METRICS: readonly MetricFact[] = [];
/** Groups that name the same facts speak the same language; a group is asked by the list of its settings. */
const languages = new Map<string, Language>();
const languageOfList = new WeakMap<readonly MetricFact[], Language>();

function languageOf(metrics: readonly MetricFact[]): Language {
  const known = languageOfList.get(metrics);
  if (known !== undefined) return known;
  const signature = JSON.stringify(metrics.map(({ id, type }) => [id, type]).sort());
  const made = languages.get(signature) ?? makeLanguage(metrics);
  if (languages.size >= MOST_KEPT) languages.clear();
  languages.set(signature, made);
  languageOfList.set(metrics, made);
  return made;
}

function makeLanguage(metrics: readonly MetricFact[]): Language {
  const environment = new Environment({ limits: LIMITS });
  environment.registerType('Verdict', { ctor: VerdictFact, fields: {} });
  const places = new Map<string, Place>();
  const subjects = new Map<string, Record<string, string>>();
  for (const { name, type } of [...ROW_FACTS, ...metrics.map(({ id, type }) => ({ name: metricFactName(id), type }))]) {
    const [subject = '', field = ''] = name.split('.');
    places.set(name, { subject, field, type });
    subjects.set(subject, { ...subjects.get(subject), [field]: type === 'verdict' ? 'Verdict' : 'double' });
  }
  for (const [name, schema] of subjects) environment.registerVariable({ name, schema });
  for (const reader of READERS) environment.registerFunction(`${reader}(Verdict): bool`, READ[reader]);
  return { environment, places, compiled: new Map() };
}

/**
 * Compiles a text, or says what is wrong with it and what helps. Never throws. `metrics` are the facts that the group's
 * config names.
 */
export function compileExpression(text: string, metrics: readonly MetricFact[] = NO_METRICS): Compiled {
  const language = languageOf(metrics);
  const { compiled } = language;
  const before = compiled.get(text);
  if (before !== undefined) return before;
  const made = compile(text, language);
  if (compiled.size >= MOST_KEPT) compiled.clear();
  compiled.set(text, made);
  return made;
}

/** As {@link compileExpression}, for a text that was checked when the config was loaded. Throws a RangeError on others. */
export function expressionOf(text: string, metrics: readonly MetricFact[] = NO_METRICS): Expression {
  const made = compileExpression(text, metrics);
  if (made.kind === 'refused') throw new RangeError(`not an expression of a row: ${text}: ${made.message}`);
  return made.expression;
}

function compile(text: string, language: Language): Compiled {
  const refuse = (refusal: ExpressionRefusal): Compiled => ({ kind: 'refused', ...refusal });
  if (text.length > LONGEST) return refuse(tooLong(text));
  let parsed: ParseResult;
  try {
    parsed = language.environment.parse(text);
  } catch (error) {
    return refuse(syntax(text, error));
  }
  const wrong = refusalOf(parsed.ast, language);
  if (wrong !== null) return refuse(wrong);
  const types = parsed.check();
  if (!types.valid || types.type !== 'bool') return refuse(illTyped(text, types.error));
  const facts = factsIn(parsed.ast, language);
  if (facts.length === 0) return refuse(constant(text));
  const thresholds = thresholdsIn(parsed.ast, language);
  return {
    kind: 'expression',
    expression: {
      text,
      facts,
      typeOf: (fact) => language.places.get(fact)?.type,
      thresholds,
      answer: remembered(facts, thresholds, (values) => answer(parsed, facts, language, values)),
    },
  };
}

/**
 * All that an answer can depend on is what each verdict is, and on which side of each threshold each number lies: rows
 * compare numbers with nothing else. So few situations come up, and a thousand groups ask for the same ones each second.
 */
function remembered(
  facts: readonly ReadableFact[],
  thresholds: readonly Threshold[],
  work: Expression['answer'],
): Expression['answer'] {
  const limits = facts.map((fact) => thresholds.filter((one) => one.fact === fact).map(({ number }) => number));
  const side = (value: number, limit: number): string => (value < limit ? '<' : value > limit ? '>' : '=');
  const known = new Map<string, RowAnswer>();
  return (values) => {
    const asked = facts
      .map((fact, index) => {
        const value = values[fact] ?? '';
        if (typeof value !== 'number') return value;
        return Number.isFinite(value) ? (limits[index] ?? []).map((limit) => side(value, limit)).join('') : '?';
      })
      .join();
    const told = known.get(asked) ?? work(values);
    known.set(asked, told);
    return told;
  };
}

function answer(parsed: ParseResult, facts: readonly ReadableFact[], language: Language, values: RowValues): RowAnswer {
  try {
    return parsed(contextOf(facts, language, values)) === true ? 'yes' : 'no';
  } catch (error) {
    // A verdict that is unknown, or a number that is not there. The expression was type-checked: nothing else can fail.
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (error instanceof FactUnknown || code === 'no_such_key') return 'unknown';
    throw error;
  }
}

const VERDICTS = {
  ok: new VerdictFact('ok'),
  bad: new VerdictFact('bad'),
  unknown: new VerdictFact('unknown'),
} as const;

function contextOf(
  facts: readonly ReadableFact[],
  { places }: Language,
  values: RowValues,
): Record<string, Record<string, VerdictFact | number>> {
  const context: Record<string, Record<string, VerdictFact | number>> = {};
  for (const name of facts) {
    const place = places.get(name);
    if (place === undefined) continue;
    const { subject, field, type } = place;
    const fields = context[subject] ?? {};
    context[subject] = fields;
    const value = values[name] ?? null;
    if (type === 'verdict') fields[field] = VERDICTS[typeof value === 'string' ? value : 'unknown'];
    // Not-a-number compares as false with everything, which would pass unknown for no.
    else if (typeof value === 'number' && Number.isFinite(value)) fields[field] = value;
  }
  return context;
}

const COMPARISONS: readonly string[] = ['<', '<=', '>', '>='];

/** The first part that is not of the language, or null. */
function refusalOf(node: ASTNode, language: Language): ExpressionRefusal | null {
  switch (node.op) {
    case '&&':
    case '||':
      return refusalOf(node.args[0], language) ?? refusalOf(node.args[1], language);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(node, node.args, language);
    case 'call': {
      const [name, [first, ...more]] = node.args;
      if (!(READERS as readonly string[]).includes(name) || first === undefined || more.length > 0)
        return notInRows(node, `${name}() is no reader of a fact`);
      return factName(first, language) === null ? badFact(first, language) : null;
    }
    case '.':
    case 'id':
      return bareFact(node, language);
    case '!_':
    case '?:':
    case '==':
    case '!=':
      return negated(node);
    default:
      return notInRows(node, 'this is more than a row needs');
  }
}

function comparison(
  node: ASTNode,
  [left, right]: readonly [ASTNode, ASTNode],
  language: Language,
): ExpressionRefusal | null {
  const sides = [left, right].map((side) => (numberOf(side) === null ? factName(side, language) : 'number'));
  if (sides.includes(null)) return badFact(sides[0] === null ? left : right, language);
  if (sides.filter((side) => side === 'number').length === 1) return null;
  return notInRows(node, 'a comparison has a fact on one side and a number on the other');
}

const at = ({ start, end }: ASTNode): { start: number; end: number } => ({ start, end });

const notInRows = (node: ASTNode, why: string): ExpressionRefusal => ({
  code: 'not-in-rows',
  message: `${why}: rows are made of ok(), bad(), unknown(), comparisons of numbers, && and ||`,
  remedy: 'write it with those, such as bad(postgres.reachable) && ok(services.reachable)',
  ...at(node),
});

const negated = (node: ASTNode): ExpressionRefusal => ({
  code: 'negated-fact',
  message: 'a fact has three values, so what is not bad may be unknown; rows have no negation',
  remedy: 'say which value is meant: ok(...) for proven well, bad(...) for proven bad, unknown(...)',
  ...at(node),
});

function bareFact(node: ASTNode, language: Language): ExpressionRefusal {
  const name = factName(node, language);
  if (name === null) return badFact(node, language);
  const verdict = language.places.get(name)?.type === 'verdict';
  return {
    code: 'bad-expression',
    message: verdict ? `${name} has three values and is no condition by itself` : `${name} is a number`,
    remedy: verdict ? `write ok(${name}), bad(${name}) or unknown(${name})` : `compare it, such as ${name} > 300`,
    ...at(node),
  };
}

function badFact(node: ASTNode, { places }: Language): ExpressionRefusal {
  if (node.op !== '.' && node.op !== 'id') return notInRows(node, 'this is more than a row needs');
  const text = node.input.slice(node.start, node.end);
  const names = [...places.keys()];
  const nearest = [...names].sort((a, b) => distance(a, text) - distance(b, text))[0];
  const near = nearest !== undefined && distance(nearest, text) <= Math.max(2, nearest.length / 3);
  return {
    code: 'unknown-fact',
    message: text.startsWith('metrics.') ? `no fact of this group is named so: ${text}` : `there is no fact ${text}`,
    remedy: `${near ? `did you mean ${nearest}? ` : ''}${
      text.startsWith('metrics.') ? 'A metric is named under facts: of the group. ' : ''
    }Known are ${names.join(', ')}`,
    ...at(node),
  };
}

const tooLong = (text: string): ExpressionRefusal => ({
  code: 'bad-expression',
  message: `it is longer than ${LONGEST} characters`,
  remedy: 'split it into rows of their own',
  start: LONGEST,
  end: text.length,
});

const constant = (text: string): ExpressionRefusal => ({
  code: 'bad-expression',
  message: 'it reads no fact, so it says the same at all times',
  remedy: 'write what must be seen, such as bad(active.reachable)',
  start: 0,
  end: text.length,
});

/** A name that stood here before rows were expressions, or what the parser found. */
function syntax(text: string, error: unknown): ExpressionRefusal {
  const range = rangeOf(error);
  return {
    code: 'bad-expression',
    message: `this is no expression: ${firstLine(error)}`,
    remedy: 'write it in CEL, such as bad(active.reachable)',
    start: range?.start ?? 0,
    end: range?.end ?? text.length,
  };
}

function illTyped(text: string, error: unknown): ExpressionRefusal {
  const range = rangeOf(error);
  return {
    code: 'bad-expression',
    message: error === undefined ? 'it is no condition' : firstLine(error),
    remedy: 'read verdicts by ok(), bad() or unknown(), and compare numbers with numbers',
    start: range?.start ?? 0,
    end: range?.end ?? text.length,
  };
}

const firstLine = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);

function rangeOf(error: unknown): { readonly start: number; readonly end: number } | null {
  if (!(error instanceof Error) || !('range' in error)) return null;
  const { range } = error;
  if (typeof range !== 'object' || range === null || !('start' in range) || !('end' in range)) return null;
  return typeof range.start === 'number' && typeof range.end === 'number'
    ? { start: range.start, end: range.end }
    : null;
}

function factName(node: ASTNode, { places }: Language): ReadableFact | null {
  if (node.op !== '.' || node.args[0].op !== 'id') return null;
  const name = `${node.args[0].args}.${node.args[1]}`;
  return places.has(name) ? (name as ReadableFact) : null;
}

function numberOf(node: ASTNode): number | null {
  if (node.op === '-_') {
    const inner = numberOf(node.args);
    return inner === null ? null : -inner;
  }
  if (node.op !== 'value') return null;
  return typeof node.args === 'number' || typeof node.args === 'bigint' ? Number(node.args) : null;
}

/** Every part of an expression that passed {@link refusalOf}. */
function* parts(node: ASTNode): Generator<ASTNode> {
  yield node;
  if (node.op === '&&' || node.op === '||') for (const side of node.args) yield* parts(side);
}

function factsIn(ast: ASTNode, language: Language): ReadableFact[] {
  const facts = new Set<ReadableFact>();
  for (const node of parts(ast)) {
    const read = node.op === 'call' ? node.args[1] : isComparison(node) ? node.args : [];
    for (const each of read) {
      const name = factName(each, language);
      if (name !== null) facts.add(name);
    }
  }
  return [...facts];
}

function thresholdsIn(ast: ASTNode, language: Language): Threshold[] {
  const thresholds: Threshold[] = [];
  for (const node of parts(ast)) {
    if (!isComparison(node)) continue;
    const fact = factName(node.args[0], language) ?? factName(node.args[1], language);
    const number = numberOf(node.args[0]) ?? numberOf(node.args[1]);
    if (fact !== null && number !== null) thresholds.push({ fact, number });
  }
  return thresholds;
}

type Comparison = Extract<ASTNode, { op: '<' | '<=' | '>' | '>=' }>;
const isComparison = (node: ASTNode): node is Comparison => COMPARISONS.includes(node.op);
