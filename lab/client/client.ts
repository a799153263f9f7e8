import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../servers/errors.ts';
import { nowMs, until } from '../servers/wait.ts';
import { type ClientTarget, type EndedLine, openLedger } from './ledger.ts';
import { post } from './post.ts';
import { locator } from './resolve.ts';
import { type Bookkeeper, dropsAcks, honest } from './sabotage.ts';

export interface ClientOptions {
  /** Every id this client writes starts with it and a dash: unique for a lab. */
  readonly clientId: string;
  readonly target: ClientTarget;
  readonly ledgerFile: string;
  readonly ratePerSecond?: number;
  /** Writes under way at once; one that is due beyond it is left out, not queued. */
  readonly concurrency?: number;
  readonly timeoutMs?: number;
  /** Sabotage: keep a ledger that lies. */
  readonly dropAcks?: boolean;
}

export interface ClientStats {
  readonly sent: number;
  readonly acked: number;
  readonly failed: number;
  readonly unknown: number;
  readonly ackedByRegion: Readonly<Record<string, number>>;
  readonly lastAckAtMs: number | undefined;
}

export interface TrafficClient {
  readonly clientId: string;
  readonly ledgerFile: string;
  readonly stats: () => ClientStats;
  /** Resolves at the `count`-th acknowledgement by that region from now on. */
  readonly waitForAcks: (region: string, count: number, timeoutMs: number) => Promise<void>;
  /** No further writes; back when the last one under way has its line in the ledger. */
  readonly stop: () => Promise<ClientStats>;
}

/** Start writing unique ids, and keep the ledger of what was sent and what was acknowledged. */
export function startClient(options: ClientOptions): TrafficClient {
  const locate = locator(options.target);
  const ledger = openLedger(options.ledgerFile);
  const book: Bookkeeper = options.dropAcks === true ? dropsAcks(ledger, options.clientId) : honest(ledger);
  const counts = { sent: 0, acked: 0, failed: 0, unknown: 0 };
  const ackedByRegion: Record<string, number> = {};
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  let lastAckAtMs: number | undefined;
  let sequence = 0;

  ledger.append({ event: 'client', clientId: options.clientId, target: options.target, atMs: nowMs() });

  const attempt = async (): Promise<void> => {
    const id = `${options.clientId}-${String(sequence++).padStart(8, '0')}`;
    const sentAtMs = nowMs();
    book.sent({ event: 'sent', id, sentAtMs });
    counts.sent += 1;
    const end = await write(locate, options, id, sentAtMs);
    book.ended(end);
    counts[end.outcome] += 1;
    if (end.outcome !== 'acked') return;
    lastAckAtMs = end.endedAtMs;
    if (end.region !== undefined) ackedByRegion[end.region] = (ackedByRegion[end.region] ?? 0) + 1;
  };

  const loop = async (): Promise<void> => {
    const everyMs = 1_000 / (options.ratePerSecond ?? 50);
    for (let dueMs = performance.now(); !stopping.signal.aborted; dueMs += everyMs) {
      await pauseUntil(dueMs, stopping.signal);
      if (stopping.signal.aborted) return;
      // After a stall of this process the missed ones are not made up for in a burst.
      dueMs = Math.max(dueMs, performance.now() - everyMs);
      if (underWay.size >= (options.concurrency ?? 100)) continue;
      const one = attempt().finally(() => underWay.delete(one));
      underWay.add(one);
    }
  };
  const running = loop();
  const stats = (): ClientStats => ({ ...counts, ackedByRegion: { ...ackedByRegion }, lastAckAtMs });

  return {
    clientId: options.clientId,
    ledgerFile: options.ledgerFile,
    stats,
    waitForAcks: async (region, count, timeoutMs) => {
      const wanted = (ackedByRegion[region] ?? 0) + count;
      await until({ what: `${count} acknowledgements by region ${region}`, timeoutMs, intervalMs: 10 }, async () =>
        (ackedByRegion[region] ?? 0) >= wanted ? true : undefined,
      );
    },
    stop: async () => {
      stopping.abort();
      await running;
      // Each is bounded by its own time-out.
      await Promise.all(underWay);
      ledger.close();
      return stats();
    },
  };
}

async function write(
  locate: () => Promise<string>,
  options: ClientOptions,
  id: string,
  sentAtMs: number,
): Promise<EndedLine> {
  const { target, timeoutMs = 1_000 } = options;
  const ended = { event: 'ended', id, sentAtMs } as const;
  let address: string;
  try {
    address = await locate();
  } catch (error) {
    return { ...ended, endedAtMs: nowMs(), outcome: 'failed', reason: `dns-${codeOf(error) ?? 'error'}` };
  }
  const name = target.kind === 'name' ? target.name : target.host;
  const result = await post({ address, port: target.port, name, id, timeoutMs });
  return { ...ended, endedAtMs: nowMs(), address, ...result };
}

async function pauseUntil(dueMs: number, stop: AbortSignal): Promise<void> {
  const waitMs = dueMs - performance.now();
  if (waitMs <= 0) return;
  await sleep(waitMs, undefined, { signal: stop }).catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
}
