/**
 * What is looked up in the settings at every input, found once for each configuration: an input must not cost a walk
 * through a thousand groups. PURE.
 */
import type { Alert } from './evidence.ts';
import type { GroupId, VantageId } from './primitives.ts';
import type { AlertMeaning, Settings } from './settings.ts';

export type MeaningOf = { readonly group: GroupId; readonly meaning: AlertMeaning };

type SettingsIndex = {
  readonly groups: readonly GroupId[];
  readonly vantages: ReadonlySet<VantageId>;
  /** What an alert means, to each group that makes something of it. */
  meaningsOf(alert: Alert): readonly MeaningOf[];
};

const indexes = new WeakMap<Settings, SettingsIndex>();

export function indexOf(settings: Settings): SettingsIndex {
  const known = indexes.get(settings);
  if (known !== undefined) return known;
  const groups = Object.values(settings.groups);
  const made: SettingsIndex = {
    groups: groups.map(({ id }) => id),
    vantages: new Set(groups.flatMap(({ vantages }) => vantages.map(({ id }) => id))),
    meaningsOf: meaningsBy(
      groups.flatMap(({ id, alertMeanings }) => alertMeanings.map((meaning) => ({ group: id, meaning }))),
    ),
  };
  indexes.set(settings, made);
  return made;
}

/** A label that an alert does not have is empty, also one that is called like something every object has. */
const labelOf = ({ labels }: Alert, label: string): string =>
  Object.hasOwn(labels, label) ? (labels[label] ?? '') : '';
const matches = ({ match }: AlertMeaning, alert: Alert): boolean =>
  match.every((m) => (labelOf(alert, m.label) === m.value) === m.equal);

type Word = { readonly label: string; readonly value: string };
/** What a meaning asks for by `=`, and an alert must say word for word. An empty value is also said by silence. */
const wordsOf = ({ meaning }: MeaningOf): Word[] => meaning.match.filter(({ equal, value }) => equal && value !== '');

type Placed = { readonly place: number; readonly one: MeaningOf };
/** By label and value. */
class Words<T> {
  readonly byLabel = new Map<string, Map<string, T>>();
  get({ label, value }: Word): T | undefined {
    return this.byLabel.get(label)?.get(value);
  }
  set({ label, value }: Word, held: T): void {
    const own = this.byLabel.get(label) ?? new Map<string, T>();
    this.byLabel.set(label, own.set(value, held));
  }
}

/** Each meaning lies under the rarest word it asks for, so that few have to be tried on an alert. */
function meaningsBy(all: readonly MeaningOf[]): SettingsIndex['meaningsOf'] {
  const commonness = new Words<number>();
  for (const word of all.flatMap(wordsOf)) commonness.set(word, (commonness.get(word) ?? 0) + 1);
  const byWord = new Words<Placed[]>();
  const always: Placed[] = [];
  for (const [place, one] of all.entries()) {
    const [rare] = wordsOf(one).sort((a, b) => (commonness.get(a) ?? 0) - (commonness.get(b) ?? 0));
    if (rare === undefined) always.push({ place, one });
    else {
      const own = byWord.get(rare) ?? [];
      own.push({ place, one });
      byWord.set(rare, own);
    }
  }
  const told = (alert: Alert): readonly MeaningOf[] => {
    const said = [...byWord.byLabel].flatMap(([label, byValue]) => byValue.get(labelOf(alert, label)) ?? []);
    return [...always, ...said]
      .filter(({ one }) => matches(one.meaning, alert))
      .sort((a, b) => a.place - b.place)
      .map(({ one }) => one);
  };
  return rememberedBy([...new Set(all.flatMap(({ meaning }) => meaning.match.map(({ label }) => label)))], told);
}

/** Alerts that differ in what some meaning asks about; more than any group of rules makes. */
const MOST_REMEMBERED = 10_000;
type Branch = Map<string, Branch | readonly MeaningOf[]>;

/**
 * An alert is asked about by all who handle it on its way, and thousands differ in nothing but a name of a pod. So what
 * was found is remembered by the values of those labels that any meaning asks about, one branch for each of them.
 */
function rememberedBy(labels: readonly string[], find: SettingsIndex['meaningsOf']): SettingsIndex['meaningsOf'] {
  const last = labels.at(-1);
  if (last === undefined) return find;
  let root: Branch = new Map();
  let count = 0;
  return (alert) => {
    let branch = root;
    for (let depth = 0; depth < labels.length - 1; depth += 1) {
      const value = labelOf(alert, labels[depth] ?? '');
      let next = branch.get(value) as Branch | undefined;
      if (next === undefined) {
        next = new Map();
        branch.set(value, next);
      }
      branch = next;
    }
    const value = labelOf(alert, last);
    const known = branch.get(value) as readonly MeaningOf[] | undefined;
    if (known !== undefined) return known;
    const found = find(alert);
    branch.set(value, found);
    count += 1;
    if (count >= MOST_REMEMBERED) {
      root = new Map();
      count = 0;
    }
    return found;
  };
}
