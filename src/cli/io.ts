/** What a command sees of the terminal it was called from. */
export type Io = {
  /** Writes text to standard output, as it is. */
  stdout(text: string): void;
  /** Writes text to standard error, as it is. */
  stderr(text: string): void;
  /** Whether people read it on a terminal that shows colours. */
  readonly color: boolean;
  /** Folder that relative file names are relative to. */
  readonly cwd: string;
};
