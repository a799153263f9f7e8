/**
 * What a check of the whole configuration is given, and how it tells what it found.
 */
import type { Config, GroupConfig } from '../../../model/config.ts';
import type { GroupSettings, Settings } from '../../../model/settings.ts';
import type { Source } from '../document.ts';
import { inOrder, type KeyPath, type Problem, type ProblemCode, pathText } from '../problem.ts';
import { shownAt } from '../show.ts';

export type Finding = {
  readonly code: ProblemCode;
  readonly path: KeyPath;
  readonly message: string;
  readonly remedy: string;
  /** What is shown instead of what stands at the path. */
  readonly value?: string;
  /** Where it points: at the value (the default), or at its key. */
  readonly on?: 'key' | 'value';
};

/** To whom a finding is told. */
export type Telling = {
  error(finding: Finding): void;
  warn(finding: Finding): void;
};

export type Subject = Telling & {
  readonly config: Config;
  readonly settings: Settings;
};

/** One check: tells what it finds, changes nothing. */
export type Check = (subject: Subject) => void;

export type GroupSubject = Subject & {
  readonly id: string;
  readonly path: KeyPath;
  readonly group: GroupConfig;
  readonly filled: GroupSettings;
};

export function eachGroup(check: (subject: GroupSubject) => void): Check {
  return (subject) => {
    for (const [id, group] of Object.entries(subject.config.groups)) {
      const filled = subject.settings.groups[id];
      if (filled !== undefined) check({ ...subject, id, path: ['groups', id], group, filled });
    }
  };
}

export function problemAt(source: Source, finding: Finding): Problem {
  const { path, on, value, ...words } = finding;
  return {
    file: source.file,
    ...(on === 'key' ? source.keyAt(path) : source.valueAt(path)),
    path: pathText(path),
    value: value ?? shownAt(source, path),
    ...words,
  };
}

/** Whether people are asked in this group, so that they must be reachable. */
export const asksPeople = (group: GroupConfig): boolean => (group.autonomy ?? 'observe') !== 'observe';

/** Gathers findings; what several checks find at one place is told once. */
export function gathering(source: Source): Telling & {
  found(): { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };
} {
  const problems = new Map<string, Problem>();
  const warnings = new Map<string, Problem>();
  const into = (found: Map<string, Problem>) => (finding: Finding) => {
    const problem = problemAt(source, finding);
    const key = `${problem.path} ${problem.code} ${problem.message}`;
    if (!found.has(key)) found.set(key, problem);
  };
  return {
    error: into(problems),
    warn: into(warnings),
    found: () => ({ problems: inOrder([...problems.values()]), warnings: inOrder([...warnings.values()]) }),
  };
}
