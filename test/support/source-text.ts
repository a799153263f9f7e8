// Reads TypeScript just well enough for the architecture test: which modules a file names, and its code without
// comments and without what stands inside strings. No compiler is asked: the one we use has no programming interface.

/** A module that a file names, types included; the specifier is empty when an expression stands there. */
export type Import = {
  readonly specifier: string;
  readonly line: number;
};

export type Source = {
  /** The text with comments, string contents and regular expressions blanked; lines and columns stay as they were. */
  readonly code: string;
  readonly imports: readonly Import[];
};

type Span = { readonly kind: 'comment' | 'string' | 'regex'; readonly start: number; readonly end: number };

const REGEX_MAY_FOLLOW = /(?:^|[=(,:;!&|?{}[+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|await|yield|void|throw))$/;

/** The end of a quoted string or regular expression that starts at `start`: the index after its last character. */
function endOfQuoted(text: string, start: number, quote: string): number {
  let inClass = false;
  for (let i = start + 1; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i++;
    else if (char === '\n') return i;
    else if (quote === '/' && char === '[') inClass = true;
    else if (quote === '/' && char === ']') inClass = false;
    else if (char === quote && !inClass) return i + 1;
  }
  return text.length;
}

/** Comments, strings and regular expressions in order. Code inside `${}` of a template counts as code. */
function spansOf(text: string): readonly Span[] {
  const spans: Span[] = [];
  /** One entry per template we are inside of: how many braces are open in its current `${}`. */
  const templates: number[] = [];
  let i = 0;
  const literalUntil = (start: number): number => {
    let j = start;
    while (j < text.length && text[j] !== '`' && !(text[j] === '$' && text[j + 1] === '{'))
      j += text[j] === '\\' ? 2 : 1;
    spans.push({ kind: 'string', start, end: Math.min(j, text.length) });
    if (text[j] === '`') return j + 1;
    templates.push(0);
    return j + 2;
  };
  while (i < text.length) {
    const char = text[i];
    const next = text[i + 1];
    if (char === '/' && (next === '/' || next === '*')) {
      const close = text.indexOf(next === '/' ? '\n' : '*/', i + 2);
      const end = close === -1 ? text.length : close + (next === '/' ? 0 : 2);
      spans.push({ kind: 'comment', start: i, end });
      i = end;
    } else if (char === '"' || char === "'") {
      const end = endOfQuoted(text, i, char);
      spans.push({ kind: 'string', start: i + 1, end: end - 1 });
      i = end;
    } else if (char === '/' && REGEX_MAY_FOLLOW.test(codeBefore(text, i, spans))) {
      const end = endOfQuoted(text, i, '/');
      spans.push({ kind: 'regex', start: i, end });
      i = end;
    } else if (char === '`') {
      i = literalUntil(i + 1);
    } else if (char === '{' && templates.length > 0) {
      templates.push((templates.pop() ?? 0) + 1);
      i++;
    } else if (char === '}' && templates.length > 0) {
      const open = templates.pop() ?? 0;
      if (open > 0) templates.push(open - 1);
      i = open > 0 ? i + 1 : literalUntil(i + 1);
    } else {
      i++;
    }
  }
  return spans;
}

/** The code right before `index`, looked at to tell a division from a regular expression; a comment between is skipped. */
function codeBefore(text: string, index: number, spans: readonly Span[]): string {
  const last = spans.at(-1);
  const end = last?.kind === 'comment' && text.slice(last.end, index).trim() === '' ? last.start : index;
  return text.slice(Math.max(0, end - 80), end).trimEnd();
}

function blank(text: string, spans: readonly Span[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end } of spans) {
    parts.push(text.slice(at, start), text.slice(start, end).replace(/[^\n]/g, ' '));
    at = end;
  }
  parts.push(text.slice(at));
  return parts.join('');
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** A static import or re-export, up to the quote before its module; a clause other than `... from` is none. */
const STATIC = /(?<![.\w$])(?:import|export)\b(?<clause>[\w$\s,*{}]*)['"]/g;
const IS_CLAUSE = /^\s*$|\bfrom\s*$/;
/** An import at run time, or `import('...')` as a type. */
const DYNAMIC = /(?<![.\w$])(?:import|require|import\.meta\.resolve)\s*\(\s*['"`]?/g;
/** `new URL('./worker.ts', import.meta.url)` names a module too: a worker is started from it. */
const BY_URL = /\bnew\s+URL\s*\(\s*['"`](?=[^)]*\bimport\.meta\.url\b)/g;
const IS_MODULE = /^\.{1,2}\/.*\.[mc]?[jt]s$/;

export function readSource(text: string): Source {
  const spans = spansOf(text);
  const code = blank(text, spans);
  const at = (match: RegExpExecArray): Import => {
    const start = match.index + match[0].length;
    const span = spans.find((candidate) => candidate.kind === 'string' && candidate.start === start);
    const whole = span !== undefined && text[span.end] === text[start - 1];
    return { specifier: whole ? text.slice(start, span.end) : '', line: lineAt(text, match.index) };
  };
  return {
    code,
    imports: [
      ...[...code.matchAll(STATIC)].filter((match) => IS_CLAUSE.test(match.groups?.['clause'] ?? '')).map(at),
      ...[...code.matchAll(DYNAMIC)].map(at),
      ...[...code.matchAll(BY_URL)].map(at).filter(({ specifier }) => IS_MODULE.test(specifier)),
    ],
  };
}
