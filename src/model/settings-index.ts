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
  /** An alert is asked about by all who handle it on its way. */
  const known = new WeakMap<Alert, readonly MeaningOf[]>();
  return (alert) => {
    const told = known.get(alert);
    if (told !== undefined) return told;
    const said = [...byWord.byLabel].flatMap(([label, byValue]) => byValue.get(labelOf(alert, label)) ?? []);
    const meanings = [...always, ...said]
      .filter(({ one }) => matches(one.meaning, alert))
      .sort((a, b) => a.place - b.place)
      .map(({ one }) => one);
    known.set(alert, meanings);
    return meanings;
  };
}
