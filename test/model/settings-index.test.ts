// Which groups make something of an alert must not hang on how their meanings are looked up.
import fc from 'fast-check';
import t from 'tap';
import type { AlertMeaning, Settings } from '../../src/model/settings.ts';
import { indexOf } from '../../src/model/settings-index.ts';

const label = fc.constantFrom('alertname', 'severity', 'group', '__proto__', 'constructor');
const value = fc.constantFrom('', 'a', 'b', 'toString');
const matcher = fc.record({ label, equal: fc.boolean(), value });
const meanings = fc.array(fc.array(matcher, { minLength: 1, maxLength: 3 }), { maxLength: 4 });

const settingsOf = (groups: readonly (readonly AlertMeaning['match'][])[]): Settings =>
  ({
    groups: Object.fromEntries(
      groups.map((matches, index) => {
        const alertMeanings = matches.map((match) => ({ match, fact: 'watchdog', region: 'a', component: null }));
        return [`group-${index}`, { id: `group-${index}`, vantages: [{ id: 'daemon', region: 'a' }], alertMeanings }];
      }),
    ),
  }) as unknown as Settings;

t.test('an alert means what every meaning tried on it says, in the order of the config', async (t) => {
  fc.assert(
    fc.property(fc.array(meanings, { maxLength: 6 }), fc.dictionary(label, value), (groups, labels) => {
      const settings = settingsOf(groups);
      const alert = { fingerprint: 'f', startsAt: 1, status: 'firing' as const, labels, summary: null };
      const expected = Object.values(settings.groups).flatMap((group) =>
        group.alertMeanings
          .filter(({ match }) =>
            match.every((m) => ((Object.hasOwn(labels, m.label) ? labels[m.label] : '') === m.value) === m.equal),
          )
          .map((meaning) => ({ group: group.id, meaning })),
      );
      const told = indexOf(settings).meaningsOf(alert);
      return (
        told.length === expected.length &&
        told.every((one, index) => one.group === expected[index]?.group && one.meaning === expected[index]?.meaning)
      );
    }),
    { numRuns: 1_000 },
  );
  t.pass('for any meanings and any alert');
});

t.test('the groups and vantages of a configuration are found once for it', async (t) => {
  const settings = settingsOf([[], []]);
  t.same(indexOf(settings).groups, ['group-0', 'group-1']);
  t.ok(indexOf(settings).vantages.has('daemon'));
  t.equal(indexOf(settings), indexOf(settings));
});
