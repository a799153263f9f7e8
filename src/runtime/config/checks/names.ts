/** Names that people chose and that a program could take for something else. */
import type { KeyPath } from '../problem.ts';
import { FORMS } from '../words.ts';
import type { Check } from './context.ts';

/**
 * What every JavaScript object answers to: a lookup by such a name finds something where nothing was put. `constructor`
 * is the only one that our names could be, and one list less that has to be kept right.
 */
const isInherited = (name: string): boolean => name in Object.prototype;

export const checkNames: Check = ({ config, error }) => {
  const named: [KeyPath, object][] = [
    [['regions'], config.regions],
    [['vantages'], config.vantages],
    [['prometheus'], config.prometheus ?? {}],
    [['people'], config.people ?? {}],
    [['groups'], config.groups],
    ...Object.entries(config.groups).map(([id, group]): [KeyPath, object] => [
      ['groups', id, 'components'],
      group.components,
    ]),
    ...Object.entries(config.groups).map(([id, group]): [KeyPath, object] => [
      ['groups', id, 'facts'],
      group.facts ?? {},
    ]),
  ];
  for (const [path, holder] of named)
    for (const name of Object.keys(holder).filter(isInherited))
      error({
        ...FORMS.name,
        path: [...path, name],
        on: 'key',
        value: name,
        message: 'this name is taken by the language failoverd is written in',
        remedy: 'choose another name',
      });
};
