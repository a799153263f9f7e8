/**
 * An explanation in sentences: the one renderer that the API, the page and the terminal share, so that two people who
 * read of one row read the same. PURE.
 */
import type {
  Change,
  Explanation,
  FactExplained,
  FactSource,
  GateExplained,
  Paragraph,
  RowExplained,
  ToldExplanation,
} from '../model/explanation.ts';
import { rowName } from '../model/matrix.ts';
import { numberText } from '../policies/metrics.ts';
import { instantText, spanText } from './text.ts';

export const toldOf = (explanation: Explanation): ToldExplanation => ({
  ...explanation,
  says: heading(explanation),
  rows: explanation.rows.map((row) => ({
    ...row,
    says: rowHeading(row),
    paragraphs: paragraphsOf(row, explanation),
  })),
});

function heading({ title, group, at, timeZone, basis, active, standby, notes }: Explanation): string {
  const name = title === group ? group : `${title} (${group})`;
  const when = instantText(at, timeZone);
  const regions =
    active === null ? '' : standby === null ? `, ${active} active` : `, ${active} active, ${standby} standby`;
  const words = [
    basis === 'now' ? `${name} at ${when}${regions}.` : `${name} at ${when}${regions}, from what the journal kept.`,
    ...notes.map(sentence),
  ];
  return words.join(' ');
}

const ended = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
const sentence = (text: string): string => ended(`${text.slice(0, 1).toUpperCase()}${text.slice(1)}`);

const ANSWER = {
  matches: 'matches',
  'does-not-match': 'does not match',
  'cannot-tell': 'can’t tell',
  'not-kept': 'was not kept',
} as const satisfies Record<RowExplained['answer'], string>;

const rowHeading = ({ row, component, kind, answer }: RowExplained): string =>
  `${rowName(row, component).replace('row', 'Row')} (${kind}) ${ANSWER[answer]}`;

type Context = Pick<Explanation, 'timeZone' | 'basis'>;

function paragraphsOf(row: RowExplained, context: Context): Paragraph[] {
  const all: Paragraph[] = [
    { label: 'says', lines: [asks(row), ...(row.note === null ? [] : [row.note])] },
    { label: context.basis === 'now' ? 'reads' : 'read', lines: row.facts.flatMap(factLines) },
    { label: 'so', lines: answerLines(row, context) },
    { label: 'in the way', lines: gateLines(row) },
    { label: 'changes', lines: row.changes.map((change) => changeLine(change, context)) },
    { label: 'note', lines: row.notes.map(sentence) },
  ];
  return all.filter(({ lines }) => lines.length > 0);
}

function asks({ when, kind, forMs, action, against, auto }: RowExplained): string {
  const condition = `When ${when}${forMs > 0 ? ` for ${spanText(forMs)}` : ''}`;
  if (kind !== 'decide')
    return against.length === 0
      ? `${condition}.`
      : `${condition}, it stands in the way of ${against.join(', ')}${action === 'hold' ? '' : ` (${action})`}.`;
  return `${condition}: ${action}${action === 'failover' ? (auto ? ', which it may do by itself where the group is auto' : ', which people approve') : ''}.`;
}

function factLines({ fact, value, unit, why, from, ageMs, sources }: FactExplained): string[] {
  const known = typeof value === 'number';
  const number = known ? numberText(value, unit) : value;
  const age = ageMs === null ? '' : `, ${spanText(ageMs)} old`;
  const first = `${fact} is ${number}${from === '' ? '' : ` (from ${from}${age})`}: ${why}`;
  return [first, ...sources.map((source) => `- ${source.who}${wordsOf(source, known)}: ${source.says}`)];
}

/** A number is neither good nor bad; of one that is known no verdict is told. */
function wordsOf({ verdict, ageMs }: FactSource, number: boolean): string {
  const words = [
    ...(number && verdict === 'unknown' ? [] : [verdict]),
    ...(ageMs === null ? [] : [`${spanText(ageMs)} ago`]),
  ];
  return words.length === 0 ? '' : `: ${words.join(', ')}`;
}

function answerLines(
  { answer, hold, forMs, decision, facts, kind }: RowExplained,
  { timeZone, basis }: Context,
): string[] {
  const lines: string[] = [];
  const unknown = facts.filter(({ value }) => value === 'unknown').map(({ fact }) => fact);
  if (answer === 'matches') lines.push(basis === 'now' ? 'The condition is seen now.' : 'The condition was seen.');
  if (answer === 'does-not-match') lines.push('The condition is not there.');
  if (answer === 'cannot-tell')
    lines.push(
      `It can’t be told: ${unknown.join(' and ')} ${unknown.length === 1 ? 'is' : 'are'} unknown, and unknown is neither good nor bad.`,
    );
  if (hold !== null) {
    const since = instantText(hold.startedAt, timeZone);
    const written =
      hold.writtenAt === null ? '' : ` when last written down, at ${instantText(hold.writtenAt, timeZone)}`;
    const left = hold.leftMs === 0 ? 'that is long enough' : `${spanText(hold.leftMs)} to go`;
    lines.push(
      `It ${basis === 'now' ? 'holds' : 'had held'} since ${since}: ${spanText(hold.heldMs)} of ${spanText(forMs)}${written}; ${left}. First bad sign at ${instantText(hold.impactAt, timeZone)}.`,
    );
  } else if (kind === 'decide' && basis === 'now' && answer !== 'matches') lines.push('Nothing is held.');
  if (decision !== null) {
    const made =
      decision.madeAt === null ? 'The decision that stands' : `Decided at ${instantText(decision.madeAt, timeZone)}`;
    lines.push(`${made}: ${decision.action} (autonomy ${decision.autonomy}). ${sentence(decision.why)}`);
  }
  return lines;
}

const WHOM = {
  everyone: 'stops everyone',
  auto: 'stops auto, people may approve',
  people: 'waits for people',
} as const;

function gateLines({ gates, autonomyWhy }: RowExplained): string[] {
  const closed = gates.filter(({ answer }) => answer !== 'pass');
  const open = gates.filter(({ answer }) => answer === 'pass').map(({ gate }) => gate);
  // What a gate says above lowers the autonomy too, and need not be read twice.
  const besides = autonomyWhy.filter((why) => !closed.some((gate) => why.endsWith(gate.why)));
  return [
    ...closed.map(gateLine),
    ...(open.length === 0 ? [] : [`These pass: ${open.join(', ')}.`]),
    ...(besides.length === 0 ? [] : [`Autonomy: ${besides.join('; ')}.`]),
  ];
}

const gateLine = ({ gate, answer, why, stops, opens }: GateExplained): string =>
  `${gate} ${answer === 'block' ? 'blocks' : 'can’t tell'} (${WHOM[stops]}): ${ended(why)}${opens === null ? '' : ` To open it: ${ended(opens)}`}`;

function changeLine({ given: all, forMs, follows }: Change, { basis }: Context): string {
  const condition = `${all.join(', and ')}${forMs > 0 ? ` for ${spanText(forMs)}` : ''}`;
  return basis === 'now' ? `${sentence(follows).replace(/\.$/, '')} if ${condition}.` : `With ${condition} ${follows}.`;
}
