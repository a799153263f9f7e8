/** A command called as from a terminal: what it printed, and how it ended. */
import { main } from '../../src/cli/main.ts';
import type { Environment } from '../../src/runtime/environment.ts';

export type Ended = { readonly code: number; readonly out: string; readonly err: string };

export async function call(argv: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<Ended> {
  let out = '';
  let err = '';
  const environment: Environment = {
    argv,
    pid: 1,
    workingDirectory: process.cwd(),
    isTerminal: false,
    variable: (name) => variables[name],
    print: (text) => {
      out += text;
    },
    complain: (text) => {
      err += text;
    },
    endWith: () => undefined,
    exit: () => {
      throw new Error('a command returns its exit code');
    },
  };
  const code = await main(argv, environment);
  return { code, out, err };
}

/** Lines that would wrap in a terminal of 80 columns. */
export const tooWide = (text: string): string[] => text.split('\n').filter((line) => [...line].length > 80);
