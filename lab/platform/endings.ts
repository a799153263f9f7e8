import { LabError, textOf } from '../servers/errors.ts';

/** What has to be ended, last begun first. Closing has an end: nothing may be begun while it goes on, or after it. */
export interface Endings {
  /** Throws `stop-timeout` once closing began; what was begun for it is ended at once. */
  readonly add: (what: string, end: () => Promise<unknown>) => Promise<void>;
  /** For who is about to begin something: throws `stop-timeout` once closing began. */
  readonly stillOpen: () => void;
  /** Runs every ending, also when one before it failed; throws what they threw. The second call waits for the first. */
  readonly close: () => Promise<void>;
}

export function createEndings(): Endings {
  const endings: { readonly what: string; readonly end: () => Promise<unknown> }[] = [];
  let closing: Promise<void> | undefined;
  const refuse = (what: string): LabError => new LabError('stop-timeout', `${what}: the lab is being taken down`);
  const run = async (): Promise<void> => {
    const failures: Error[] = [];
    for (const { what, end } of endings.splice(0).reverse()) {
      await end().catch((error: unknown) => failures.push(new Error(`${what}: ${textOf(error)}`, { cause: error })));
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map(textOf).join('; '));
  };
  return {
    add: async (what, end) => {
      if (closing === undefined) {
        endings.push({ what, end });
        return;
      }
      await end();
      throw refuse(what);
    },
    stillOpen: () => {
      if (closing !== undefined) throw refuse('too late');
    },
    close: async () => {
      closing ??= run();
      await closing;
    },
  };
}
