/** Calls `failoverd check` as the command line does, and keeps what it printed. */
import { join } from 'node:path';
import { check } from '../../src/cli/check.ts';
import type { CheckReport } from '../../src/cli/check-report.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const FIXTURES = join(ROOT, 'test/fixtures/config');

export type Called = { readonly code: number; readonly stdout: string; readonly stderr: string };

export async function callCheck(
  args: readonly string[],
  cwd: string = ROOT,
  environment: Readonly<Record<string, string>> = {},
): Promise<Called> {
  let stdout = '';
  let stderr = '';
  const io = {
    stdout: (text: string) => {
      stdout += text;
    },
    stderr: (text: string) => {
      stderr += text;
    },
    color: false,
    cwd,
  };
  const code = await check(args, io, { variable: (name) => environment[name] });
  return { code, stdout, stderr };
}

export async function reportFor(
  args: readonly string[],
  cwd: string = ROOT,
  environment: Readonly<Record<string, string>> = {},
): Promise<CheckReport & { readonly code: number }> {
  const called = await callCheck([...args, '--json'], cwd, environment);
  const report: CheckReport = JSON.parse(called.stdout);
  return { ...report, code: called.code };
}
