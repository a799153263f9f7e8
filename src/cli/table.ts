/** Tables of plain text. */
import type { Paint } from './terminal.ts';

export function titled(head: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string[] {
  const [first = '', ...others] = table([head, ...rows]);
  return [paint('dim', first), ...others];
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd());
}
