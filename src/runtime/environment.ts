/** What the operating system gives this process, as a value that a composition root passes on. */
export type Environment = {
  /** Arguments without the program and the script. */
  readonly argv: readonly string[];
  readonly pid: number;
  readonly workingDirectory: string;
  /** True when people read standard output directly, rather than a file or another program. */
  readonly isTerminal: boolean;
  /** An environment variable; undefined when it isn't set. Empty is a value. */
  variable(name: string): string | undefined;
  /** Writes text to standard output, as it is. */
  print(text: string): void;
  /** Writes text to standard error, as it is. */
  complain(text: string): void;
  /** The code this process ends with once nothing is left to do. */
  endWith(code: number): void;
  /** Ends this process now. */
  exit(code: number): never;
};

export function processEnvironment(): Environment {
  return {
    argv: process.argv.slice(2),
    pid: process.pid,
    workingDirectory: process.cwd(),
    isTerminal: process.stdout.isTTY === true,
    variable: (name) => process.env[name],
    print: (text) => void process.stdout.write(text),
    complain: (text) => void process.stderr.write(text),
    endWith: (code) => {
      process.exitCode = code;
    },
    exit: (code) => process.exit(code),
  };
}
