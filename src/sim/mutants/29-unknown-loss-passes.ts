import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a loss that is not known is within the budget',
  file: 'src/policies/gates/index.ts',
  find: '    return within === null ? cannotTell(why) : within ? pass(why) : block(why);',
  replace: '    return within === false ? block(why) : pass(why);',
  caughtBy: [20],
};
