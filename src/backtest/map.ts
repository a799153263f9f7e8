/**
 * The map of a backtest: which expressions stand for which probes, where the history has no series of failoverd itself.
 * A file of its own, so that the daemon's config says nothing of a past it never saw.
 */
import { isUtf8 } from 'node:buffer';
import { resolve } from 'node:path';
import Type, { type Static } from 'typebox';
import Validate from 'typebox/schema';
import Value from 'typebox/value';
import { Name } from '../model/primitives.ts';
import type { Settings } from '../model/settings.ts';
import { readBounded } from '../runtime/config/bounded-file.ts';
import { readYaml, type Source } from '../runtime/config/document.ts';
import { type KeyPath, type Problem, pathText, problemText } from '../runtime/config/problem.ts';
import type { Format } from '../runtime/config/schema.ts';
import { shownAt } from '../runtime/config/show.ts';

const MOST_BYTES = 1024 * 1024;
const closed = { additionalProperties: false } as const;
const Expr = Type.String({ minLength: 1, maxLength: 4000 });

export const BacktestMap = Type.Object(
  {
    /** Labels that Prometheus adds for Alertmanager and does not keep in ALERTS. */
    externalLabels: Type.Optional(Type.Record(Type.String(), Type.String())),
    /** By vantage: 1 = one of its control targets answers, 0 = none does. */
    vantages: Type.Optional(Type.Record(Type.String(), Expr)),
    groups: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object(
          {
            probes: Type.Optional(
              Type.Array(Type.Object({ vantage: Name, component: Name, region: Name, expr: Expr }, closed)),
            ),
            replication: Type.Optional(
              Type.Object(
                {
                  streaming: Type.Optional(Expr),
                  receiveGapBytes: Type.Optional(Expr),
                  replayLagBytes: Type.Optional(Expr),
                  replayLagSeconds: Type.Optional(Expr),
                },
                closed,
              ),
            ),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);
export type BacktestMap = Static<typeof BacktestMap>;

const MAP_FORMAT: Format = { schema: JSON.parse(JSON.stringify(BacktestMap)), example: 'the map in docs/backtest.md' };

export type MapResult =
  | { readonly kind: 'map'; readonly map: BacktestMap }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** Reads a map and holds it against the config. Never rejects for what is wrong with the file. */
export async function loadMap(file: string, workingDirectory: string, settings: Settings): Promise<MapResult> {
  const read = await readBounded(resolve(workingDirectory, file), MOST_BYTES);
  if (read.kind === 'failed') return refused([`${file}:1:1: the map can’t be read (${read.code}); check its path`]);
  if (!isUtf8(read.bytes)) return refused([`${file}:1:1: the map is not UTF-8 text; save it as UTF-8`]);
  const reading = readYaml(file, read.bytes.toString('utf8'), MAP_FORMAT);
  if (reading.kind === 'refused') return refused(reading.problems.map(problemText));
  const { source } = reading;
  const map: unknown = source.value;
  if (!Value.Check(BacktestMap, map)) return refused(shapeProblems(source).map(problemText));
  const problems = strangers(source, map, settings);
  return problems.length > 0 ? refused(problems.map(problemText)) : { kind: 'map', map };
}

const refused = (problems: readonly string[]): MapResult => ({ kind: 'refused', problems });

function problemAt(source: Source, path: KeyPath, message: string, remedy: string, code: Problem['code']): Problem {
  return {
    file: source.file,
    ...source.valueAt(path),
    path: pathText(path),
    value: shownAt(source, path),
    message,
    remedy,
    code,
  };
}

function shapeProblems(source: Source): Problem[] {
  const [, errors] = Validate.Errors(BacktestMap, source.value);
  // An unknown key is told twice: by the mapping that does not take it, and as a value that no schema takes.
  return errors
    .filter(({ keyword }) => keyword !== 'boolean')
    .map((error) => {
      const path = error.instancePath
        .split('/')
        .slice(1)
        .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
      return problemAt(
        source,
        path,
        error.keyword === 'additionalProperties'
          ? `unknown key: ${(error.params as { additionalProperties: string[] }).additionalProperties.join(', ')}`
          : error.message,
        'known are externalLabels, vantages and groups.GROUP.probes and .replication; see docs/backtest.md',
        error.keyword === 'additionalProperties' ? 'unknown-key' : 'not-allowed',
      );
    });
}

/** Names that the config does not have: a misspelt one would read as a target that is never seen. */
function strangers(source: Source, map: BacktestMap, settings: Settings): Problem[] {
  const problems: Problem[] = [];
  const check = (path: KeyPath, what: string, name: string, known: readonly string[]): void => {
    if (known.includes(name)) return;
    problems.push(
      problemAt(source, path, `the config has no ${what} ${name}`, `${what}s are ${known.join(', ')}`, 'not-allowed'),
    );
  };
  const groups = Object.values(settings.groups);
  const vantages = [...new Set(groups.flatMap((group) => group.vantages.map(({ id }) => id)))];
  for (const vantage of Object.keys(map.vantages ?? {})) check(['vantages', vantage], 'vantage', vantage, vantages);
  for (const [id, { probes = [] }] of Object.entries(map.groups ?? {})) {
    check(['groups', id], 'group', id, Object.keys(settings.groups));
    const group = Object.hasOwn(settings.groups, id) ? settings.groups[id] : undefined;
    if (group === undefined) continue;
    const probed = group.components.filter(({ kind }) => kind === 'postgres' || kind === 'http');
    for (const [index, { vantage, component, region }] of probes.entries()) {
      const at = (key: string): KeyPath => ['groups', id, 'probes', index, key];
      check(at('vantage'), 'vantage', vantage, vantages);
      check(
        at('component'),
        'component',
        component,
        probed.map((one) => one.id),
      );
      check(at('region'), 'region', region, [group.primary, group.secondary]);
    }
  }
  return problems;
}
