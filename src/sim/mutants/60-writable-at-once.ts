import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'PostgreSQL is opened after a restart before the lease is acquired anew',
  file: 'src/guard/machine/server.ts',
  find: `    become(turn, 'starting', 'starts fenced, and is opened once the lease is acquired anew');`,
  replace: `    become(turn, durable.holds === null ? 'starting' : 'primary', 'starts');`,
  world: 'lease',
  caughtBy: [1, 5],
};
