import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a renewal counts from its answer and not from its send',
  file: 'src/guard/machine/lease.ts',
  find: `  renewed(turn, sentMono);
}

function gaveBack`,
  replace: `  renewed(turn, turn.state.mono);
}

function gaveBack`,
  also: [
    {
      file: 'src/guard/machine/lease.ts',
      find: 'function granted(turn: Turn, { sentMono }: Ask, set: LeaseRecord): void {',
      replace: `function granted(turn: Turn, { sentMono }: Ask, set: LeaseRecord): void {
  sentMono satisfies number;`,
    },
  ],
  world: 'lease',
  caughtBy: [1, 30],
};
