import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'effects leave before the append they rest on is durable',
  file: 'src/engine/engine.ts',
  find: '      await this.#options.store.append(entries);',
  replace: '      this.#options.store.append(entries).catch((error: Error) => this.#fail(error, batch));',
  caughtBy: [7, 14],
};
