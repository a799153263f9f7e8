import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a holder that finds another one’s record sets its own over it',
  file: 'src/guard/machine/lease.ts',
  find: '  if (record.epoch > holds || !holderOf(record, turn.state)) return deposed(turn, record);',
  replace: '  if (record.epoch > holds) persist(turn, { holds: record.epoch + 1 });',
  also: [
    {
      file: 'src/guard/machine/lease.ts',
      find: '!holderOf(record, state) || record.epoch !== durable.holds) return null;',
      replace: 'durable.holds === null) return null;',
    },
    {
      file: 'src/guard/machine/lease.ts',
      find: `    ...record,
    process,
    counter: record.counter + 1,
    peers,`,
      replace: `    ...record,
    ...(holderOf(record, state) ? {} : { holder: settings.region, epoch: durable.holds, writer: settings.region }),
    process,
    counter: record.counter + 1,
    peers,`,
    },
  ],
  world: 'lease',
  caughtBy: [1, 2, 4],
};
