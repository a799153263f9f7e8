/** What is not given by a flag is asked for at the terminal: with a default where there is one, and never for ever. */
import { type Shell, UsageError } from '../command.ts';
import { printable } from '../terminal.ts';

/** Wrong answers to one question; then the flag is the better way. */
const MOST_TRIES = 3;

export type Question = {
  readonly flag: string;
  readonly asks: string;
  readonly fallback: string | null;
  /** What is wrong with an answer, or null. */
  readonly fault?: (answer: string) => string | null;
};

export type Asker = {
  /** The flag's value, the person's answer, or the default. Throws a {@link UsageError} where none can be had. */
  text(given: string | undefined, question: Question): Promise<string>;
  yes(question: string): Promise<boolean>;
};

export function createAsker(shell: Shell, interactive: boolean): Asker {
  const put = async (question: string): Promise<string | null> => (interactive ? await shell.ask(question) : null);
  return {
    async text(given, { flag, asks, fallback, fault = () => null }) {
      if (given !== undefined) {
        const wrong = fault(given);
        if (wrong !== null) throw new UsageError(`--${flag} ${printable(given)}: ${wrong}`, `give another --${flag}`);
        return given;
      }
      const shown = fallback === null ? '' : ` [${printable(fallback)}]`;
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        const said = await put(`${asks}${shown}: `);
        if (said === null) break;
        const answer = said.trim() === '' ? fallback : said.trim();
        const wrong = answer === null ? 'an answer is needed' : fault(answer);
        if (answer !== null && wrong === null) return answer;
        shell.stderr(`  ${wrong}\n`);
      }
      const wrong = fallback === null ? 'it is not given' : fault(fallback);
      if (fallback !== null && wrong === null && !interactive) return fallback;
      throw new UsageError(`${asks}: ${wrong ?? 'no answer could be used'}`, `give it by --${flag}`);
    },
    async yes(question) {
      const said = await put(`${question} [y/N] `);
      return said !== null && /^y(?:es)?$/i.test(said.trim());
    },
  };
}
