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

const matches = ({ match }: AlertMeaning, { labels }: Alert): boolean =>
  match.every((m) => ((labels[m.label] ?? '') === m.value) === m.equal);

const wordOf = (label: string, value: string): string => `${label}=${value}`;
/** What a meaning asks for by `=`, and an alert must say word for word. An empty value is also said by silence. */
const wordsOf = ({ meaning }: MeaningOf): string[] =>
  meaning.match.flatMap(({ label, equal, value }) => (equal && value !== '' ? [wordOf(label, value)] : []));

/** Each meaning lies under the rarest word it asks for, so that few have to be tried on an alert. */
function meaningsBy(all: readonly MeaningOf[]): SettingsIndex['meaningsOf'] {
  const commonness = new Map<string, number>();
  for (const word of all.flatMap(wordsOf)) commonness.set(word, (commonness.get(word) ?? 0) + 1);
  const byWord = new Map<string | null, { readonly place: number; readonly one: MeaningOf }[]>();
  for (const [place, one] of all.entries()) {
    const rare = wordsOf(one).reduce<string | null>(
      (least, word) => (least === null || (commonness.get(word) ?? 0) < (commonness.get(least) ?? 0) ? word : least),
      null,
    );
    const own = byWord.get(rare);
    if (own === undefined) byWord.set(rare, [{ place, one }]);
    else own.push({ place, one });
  }
  const always = byWord.get(null) ?? [];
  /** An alert is asked about by all who handle it on its way. */
  const known = new WeakMap<Alert, readonly MeaningOf[]>();
  return (alert) => {
    const told = known.get(alert);
    if (told !== undefined) return told;
    const said = Object.entries(alert.labels).flatMap(([label, value]) => byWord.get(wordOf(label, value)) ?? []);
    const meanings = [...always, ...said]
      .filter(({ one }) => matches(one.meaning, alert))
      .sort((a, b) => a.place - b.place)
      .map(({ one }) => one);
    known.set(alert, meanings);
    return meanings;
  };
}
