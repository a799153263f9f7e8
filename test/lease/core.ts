/** The core as a lease store: the engine on a journal in memory, with a clock that stands until it is told to go. */
import { type Engine, startEngine } from '../../src/engine/engine.ts';
import type { Ports } from '../../src/engine/ports.ts';
import {
  crashMemoryDisk,
  type MemoryDisk,
  type MemoryFault,
  memoryDisk,
  openMemoryJournal,
} from '../../src/journal/memory.ts';
import type { Config, GroupConfig } from '../../src/model/config.ts';
import type { EventBody } from '../../src/model/events.ts';
import type { LeaseAnswer, LeaseRequest } from '../../src/model/lease.ts';
import type { Input, Reply } from '../../src/model/loop.ts';
import type { Settings } from '../../src/model/settings.ts';
import { A, B, CONFIG, GROUP, GROUP_CONFIG, settingsWith, W } from '../support/group.ts';
import type { StoreUnderTest } from './contract.ts';

const db = GROUP_CONFIG.components['db'];
if (db?.kind !== 'postgres') throw new TypeError('the group has a PostgreSQL');

/** The group of the tests, with a guard on each side. */
export const LEASED: Partial<GroupConfig> = {
  components: {
    ...GROUP_CONFIG.components,
    db: {
      ...db,
      control: 'guard',
      guards: {
        [A]: { url: 'http://a.test:8432', token: '${env:GUARD_A}' },
        [B]: { url: 'http://b.test:8432', token: '${env:GUARD_B}' },
      },
    },
  },
  lease: { timings: 'strict', deadMan: 'absolute', isolation: 'stop', partitionExposure: '1m' },
};

/** The daemon in the third region, so that the lease store outlives either side. */
export const THIRD: Config = {
  ...CONFIG,
  vantages: {
    daemon: { region: W, controlTargets: ['tcp://192.0.2.53:53'] },
    dublin: { region: B, controlTargets: ['tcp://192.0.2.53:53'], publicKey: 'x' },
  },
};

export const leased = (): Settings => settingsWith(LEASED, THIRD);

export type Core = StoreUnderTest & {
  readonly engine: () => Engine;
  readonly clock: Ports['clock'];
  readonly events: () => readonly EventBody[];
  readonly replies: readonly Reply[];
  readonly inputs: readonly Input[];
  /** What happens to the next appends. */
  fault: MemoryFault | null;
  nowMs: number;
};

export async function startCore({
  settings = leased(),
  alsoReply = () => undefined,
  newClocks = true,
}: {
  readonly settings?: Settings;
  readonly alsoReply?: (reply: Reply) => void;
  /** Whether each life counts time from its own start, as processes do. */
  readonly newClocks?: boolean;
} = {}): Promise<Core> {
  const lease = settings.groups[GROUP]?.lease;
  if (lease === undefined || lease === null) throw new TypeError('the group has a lease');
  const replies: Reply[] = [];
  const inputs: Input[] = [];
  const waiting = new Map<string, (reply: Reply) => void>();
  let [disk, lives, asked, startedMs]: [MemoryDisk, number, number, number] = [memoryDisk(), 0, 0, 0];
  const ports: Ports = {
    clock: { wall: () => 1_768_000_000_000 + core.nowMs, mono: () => core.nowMs - startedMs },
    timers: { after: () => () => undefined },
    actor: { perform: () => new Promise(() => undefined) },
    prober: { probeNow: () => undefined },
    pager: { deliver: async () => ({ delivered: true, message: '' }) },
    replies: {
      reply(reply) {
        replies.push(reply);
        waiting.get(reply.request)?.(reply);
        alsoReply(reply);
      },
    },
    observer: { appended: () => undefined, failed: () => undefined, clockSet: () => undefined },
  };
  const start = async (): Promise<Engine> => {
    lives += 1;
    startedMs = newClocks ? core.nowMs - 1000 : 0;
    const store = await openMemoryJournal({ disk, fault: () => core.fault });
    const options = { settings, store, ports, incarnation: `life-${lives}`, version: 'test', configHash: 'none' };
    return await startEngine({ ...options, record: (input) => void inputs.push(input) });
  };
  const events = (): EventBody[] => disk.rows.map(({ body }) => JSON.parse(body) as EventBody);
  const replied = async (submission: (request: string) => Parameters<Engine['submit']>[0]): Promise<Reply> => {
    asked += 1;
    const request = `r-${asked}`;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    waiting.set(request, resolve);
    await engine.submit(submission(request));
    return await promise;
  };
  let engine: Engine;
  const core: Core = {
    waitMs: lease.timings.waitMs,
    renewMs: lease.timings.renewMs,
    timingsHash: lease.timingsHash,
    fault: null,
    nowMs: 1_000,
    replies,
    inputs,
    engine: () => engine,
    clock: ports.clock,
    events,
    async ask(ask: LeaseRequest) {
      const { status, body } = await replied((request) => ({ kind: 'lease', request, ask }));
      if (status !== 200) throw new Error(JSON.stringify(body));
      return structuredClone(body) as unknown as LeaseAnswer;
    },
    askInVain: (ask) => engine.submit({ kind: 'lease', request: 'nobody', ask }),
    pass: async (ms) => {
      core.nowMs += ms;
      await engine.submit({ kind: 'tick' });
    },
    copy: async () => structuredClone(disk.rows),
    async restart(from) {
      crashMemoryDisk(disk);
      await engine.stop();
      if (from !== undefined) disk = { rows: structuredClone(from) as MemoryDisk['rows'], holder: null };
      engine = await start();
    },
    async clear() {
      const order = { group: GROUP, component: 'db', why: 'looked at both' };
      const { status, body } = await replied((request) => ({
        kind: 'clear-lease',
        request,
        person: { id: 'ann', roles: ['sre'] },
        ...order,
      }));
      if (status !== 200) throw new Error(JSON.stringify(body));
    },
    written: async () => events().filter(({ kind }) => kind === 'lease.set').length,
  };
  engine = await start();
  return core;
}
