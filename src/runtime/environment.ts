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
  surviveLostReaders();
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

/**
 * A reader that has seen enough (`| head`) closes its end: what is printed after that is for nobody, and no defect of
 * ours. An answer that is lost for another reason, a full disk for one, must not end in success.
 */
function surviveLostReaders(): void {
  if (!process.stdout.listeners('error').includes(onLostAnswer)) process.stdout.on('error', onLostAnswer);
  if (!process.stderr.listeners('error').includes(onLostComplaint)) process.stderr.on('error', onLostComplaint);
}

function onLostAnswer({ code }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') return;
  process.stderr.write(`failoverd: the answer could not be written (${code})\n`);
  process.exit(1);
}

function onLostComplaint(): void {
  // Nobody is left to tell, and the daemon goes on without its log (`sink.ts` counts what is lost).
}
