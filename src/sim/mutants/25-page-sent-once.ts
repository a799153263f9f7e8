import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a page that was not taken is not sent again',
  file: 'src/policies/pages.ts',
  find: '    pagesUnderWay: withKey(volatile.pagesUnderWay, input.page, mono + pauseMs),',
  replace: '    pagesUnderWay: withKey(volatile.pagesUnderWay, input.page, UNDER_WAY + 0 * (mono + pauseMs)),',
  caughtBy: [29],
};
