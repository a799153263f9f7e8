/** Text that fits a terminal of 80 columns. */
export const COLUMNS = 80;

/** Breaks text at spaces, without what could steer a terminal; the first line begins with `first`, the others with as much room. */
export function wrap(text: string, first = '', columns = COLUMNS): string[] {
  const indent = ' '.repeat(first.length);
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of printable(text)
    .split(/\s+/)
    .filter((part) => part !== '')) {
    const room = columns - line.length - (empty ? 0 : 1);
    if (word.length > room && !empty) {
      lines.push(line);
      line = indent;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line);
  return lines;
}

/** `label   text`, the text in a column of its own. */
export const labelled = (label: string, text: string, width = 10): string[] => wrap(text, `  ${label.padEnd(width)}`);

export type Paint = (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue', text: string) => string;
const CODES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', blue: '34' } as const;

export const painter =
  (color: boolean): Paint =>
  (style, text) =>
    color ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;

/** Text of others may carry escape sequences; a terminal must never be given them. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
