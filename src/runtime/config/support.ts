/**
 * What a configuration declares and failoverd does not do yet. It is said aloud: a thing declared and not watched is
 * unknown, and lowers the autonomy in force (design §5).
 */
import { type Config, type GroupConfig, NOT_SUPPORTED_YET } from '../../model/config.ts';
import { SUPPORTED_ACTIONS } from '../../model/matrix.ts';
import type { Source } from './document.ts';
import { type KeyPath, type Position, pathText } from './problem.ts';

export type NotSupported = Position & { readonly file: string; readonly path: string; readonly what: string };

type Found = { readonly path: KeyPath; readonly what: string };
const includes = (list: readonly string[], word: string): boolean => list.includes(word);

export function notSupportedIn(config: Config, source: Source): NotSupported[] {
  return Object.entries(config.groups)
    .flatMap(([id, group]) => inGroup(group, ['groups', id]))
    .map(({ path, what }) => ({ file: source.file, ...source.keyAt(path), path: pathText(path), what }))
    .sort((a, b) => a.line - b.line);
}

function inGroup(group: GroupConfig, path: KeyPath): Found[] {
  return [
    ...inComponents(group, path),
    ...inMatrix(group, path),
    ...inPhases(group, path),
    ...inAuthority(group, path),
  ];
}

function inComponents(group: GroupConfig, path: KeyPath): Found[] {
  return Object.entries(group.components).flatMap(([id, component]) => {
    const at = [...path, 'components', id];
    const found: Found[] = [];
    if (includes(NOT_SUPPORTED_YET.components, component.kind))
      found.push({ path: at, what: `${component.kind} components are neither probed nor moved` });
    if (component.kind === 'dns' && includes(NOT_SUPPORTED_YET.dnsProviders, component.provider))
      found.push({ path: [...at, 'provider'], what: `the DNS provider ${component.provider}` });
    return found;
  });
}

function inMatrix(group: GroupConfig, path: KeyPath): Found[] {
  return (group.matrix ?? []).flatMap((row, index) => {
    const at = [...path, 'matrix', index];
    if (row.action !== undefined && !includes(SUPPORTED_ACTIONS, row.action))
      return [{ path: at, what: `row ${row.id}: ${row.action} is proposed to people, and not carried out` }];
    return [];
  });
}

function inPhases(group: GroupConfig, path: KeyPath): Found[] {
  return NOT_SUPPORTED_YET.phases
    .filter((name) => group.budgets?.phases?.[name] !== undefined)
    .map((name) => ({ path: [...path, 'budgets', 'phases', name], what: `the phase ${name} has no steps` }));
}

function inAuthority(group: GroupConfig, path: KeyPath): Found[] {
  return NOT_SUPPORTED_YET.authorityKeys
    .filter((key) => group.authority?.[key] !== undefined)
    .map((key) => ({ path: [...path, 'authority', key], what: `${key}: nobody is told beyond the pager` }));
}
