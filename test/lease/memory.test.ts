import t from 'tap';
import { type MemoryLease, memoryLeaseDisk, startMemoryLease } from '../support/memory-lease.ts';
import { A, leaseContract } from './contract.ts';

t.test('the rules alone, over plain objects', async (t) => {
  leaseContract(t, async () => {
    let [disk, nowMs, lives] = [memoryLeaseDisk(), 1000, 0];
    const start = (): MemoryLease => {
      lives += 1;
      const rules = { active: A, waitMs: 58_000, renewMs: 3_000, timingsHash: 'terms-1' };
      return startMemoryLease({ disk, id: `life-${lives}`, mono: () => nowMs, ...rules });
    };
    let lease = start();
    return {
      waitMs: 58_000,
      renewMs: 3_000,
      timingsHash: 'terms-1',
      ask: async (request) => lease.ask(request),
      askInVain: async (request) => void lease.ask(request),
      pass: async (ms) => {
        nowMs += ms;
      },
      copy: async () => structuredClone(disk),
      restart: async (from) => {
        if (from !== undefined) disk = structuredClone(from) as typeof disk;
        lease = start();
      },
      clear: async () => lease.clear(),
      written: async () => disk.written,
    };
  });
});
