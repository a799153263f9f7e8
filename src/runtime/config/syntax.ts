/**
 * What the YAML parser complains of, in our words: its own messages quote the text, and the text may hold a secret.
 */
import type { Document, ErrorCode } from 'yaml';
import type { Position, Problem, ProblemCode } from './problem.ts';

type Words = { readonly code: ProblemCode; readonly message: string; readonly remedy: string };
const syntax = (message: string, remedy: string): Words => ({ code: 'yaml-syntax', message, remedy });
const indent = 'line the keys of one mapping up under each other, with spaces';
const quotes = 'put the value in quotes';

const WORDS: Readonly<Record<ErrorCode, Words>> = {
  ALIAS_PROPS: syntax('an alias can’t have an anchor or a tag', 'leave the anchor or tag out'),
  BAD_ALIAS: syntax('this alias is not written as one', 'write *name, or put the value in quotes'),
  BAD_COLLECTION_TYPE: { code: 'yaml-tag', message: 'this tag does not fit the value', remedy: 'leave the tag out' },
  BAD_DIRECTIVE: syntax('this line begins with % and is no directive', quotes),
  BAD_DQ_ESCAPE: syntax('there is no such escape in double quotes', 'write \\\\ for a backslash, or use single quotes'),
  BAD_INDENT: syntax(
    'this line is indented otherwise than its neighbours, or a bracket before it is not closed',
    indent,
  ),
  BAD_PROP_ORDER: syntax('anchors and tags stand in front of a value', 'move it in front of the value'),
  BAD_SCALAR_START: syntax('a plain value can’t begin with this character', quotes),
  BLOCK_AS_IMPLICIT_KEY: syntax('a second key stands in one line', 'begin a line for it, or put the value in quotes'),
  BLOCK_IN_FLOW: syntax(
    'indented lines can’t stand inside brackets',
    'close the bracket first, or write all of it in brackets',
  ),
  DUPLICATE_KEY: syntax('a key is written twice', 'keep one of the two'),
  IMPOSSIBLE: syntax('this can’t be read', quotes),
  KEY_OVER_1024_CHARS: syntax('a key is longer than 1024 characters', 'check for a missing quote or line end'),
  MISSING_CHAR: syntax(
    'something that was opened is not closed, or a colon or comma is missing',
    'close the quote or bracket; write "key: value" with a space after the colon',
  ),
  MULTILINE_IMPLICIT_KEY: syntax(
    'a key runs over more than one line',
    'write the key in one line, with a colon and a blank after it',
  ),
  MULTIPLE_ANCHORS: syntax('a value has two anchors', 'keep one of the two'),
  MULTIPLE_DOCS: syntax('a second document begins here', 'keep one document in the file'),
  MULTIPLE_TAGS: syntax('a value has two tags', 'keep one of the two'),
  NON_STRING_KEY: syntax('a key must be plain text', 'write the key as one word'),
  RESOURCE_EXHAUSTION: {
    code: 'yaml-too-deep',
    message: 'values are nested too deeply',
    remedy: 'nest at most 64 levels',
  },
  TAB_AS_INDENT: syntax('tabs can’t indent', 'indent with spaces'),
  TAG_RESOLVE_FAILED: {
    code: 'yaml-tag',
    message: 'this tag means nothing here',
    remedy: 'leave the tag out; a text that looks like a number goes in quotes',
  },
  UNEXPECTED_TOKEN: syntax(
    'something stands here that does not belong here',
    'check the line, and the one before it, for a missing quote, colon or bracket',
  ),
};

/** The first mistake in the text; the parser stumbles over what follows it, and complains of what is right. */
export function syntaxProblem(
  file: string,
  document: Document.Parsed,
  at: (offset: number) => Position,
): Problem | null {
  const [first] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (first === undefined) return null;
  const place = at(first.pos[0]);
  return { file, ...place, path: '', value: `the text at line ${place.line}`, ...WORDS[first.code] };
}
