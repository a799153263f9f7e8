import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'an append that failed is passed over',
  file: 'src/engine/engine.ts',
  find: '      await this.#options.store.append(entries);',
  replace: '      await this.#options.store.append(entries).catch(() => undefined);',
  caughtBy: [14, 7],
};
