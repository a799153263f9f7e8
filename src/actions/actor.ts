/**
 * Carries operations out on real systems: one table from the kind of a step to what it does, and one wrapper that
 * bounds each operation in time and turns whatever goes wrong into a result. It decides nothing (design §3).
 */
import type { Config } from '../model/config.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import type { StepKind } from '../model/plan.ts';
import type { GroupId, RegionId } from '../model/primitives.ts';
import type { Clock } from '../runtime/clock.ts';
import { createRedactor } from '../runtime/redact.ts';
import type { Timers } from '../runtime/timers.ts';
import { type FindCertificates, NO_CERTIFICATES } from '../runtime/tls.ts';
import { acquireLease } from './acquire-lease.ts';
import { assess, rehearse } from './assess.ts';
import {
  type ActionLog,
  no,
  type OperationContext,
  type StepActions,
  textOf,
  unknown,
  type Variable,
} from './context.ts';
import { cutoverDns } from './cutover-dns.ts';
import { writeEpochRow } from './epoch-row.ts';
import { fence } from './fence.ts';
import { createPostgresPool } from './postgres-connection.ts';
import { promote } from './promote.ts';
import { createRoute53 } from './route53.ts';
import { allDns, allPostgres, groupOf, postgresTarget } from './targets.ts';
import { verifyDns } from './verify-dns.ts';
import { verifyHttp } from './verify-http.ts';
import { type CanaryWrites, verifyWrite } from './verify-write.ts';

/** What each kind of step does. Taking the epoch is a write to the journal, which the core asks for itself. */
const ACTIONS: Readonly<Record<StepKind, StepActions | null>> = {
  assess,
  'take-epoch': null,
  fence,
  'acquire-lease': acquireLease,
  promote,
  'write-epoch-row': writeEpochRow,
  'cutover-dns': cutoverDns,
  'verify-http': verifyHttp,
  'verify-write': verifyWrite,
  'verify-dns': verifyDns,
};

const WARM_TIMEOUT_MS = 5000;
/** What a result's message may hold. */
const MESSAGE_CHARS = 1000;

/** What adapters have for their last words once their time is up. */
const graceOf = (timeoutMs: number): number => Math.min(50, timeoutMs / 10);

export type ActorOptions = {
  readonly config: Config;
  /** Resolves a `${env:X}` or `${file:...}` reference, or gives plain text back; asked anew at each use. */
  readonly secret: (reference: string) => string;
  /** Certificates of connections; without it what the system trusts. */
  readonly certificates?: FindCertificates;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: ActionLog;
  /** Variables of this process's environment; fence programs get PATH, HOME and LANG of it. */
  readonly variable: Variable;
};

export type ConfiguredActor = {
  /** Carries one operation out. Never rejects. Ends by `timeoutMs` at the latest. */
  perform(operation: Perform, signal: AbortSignal): Promise<OperationResult>;
  /**
   * Opens what a failover of the group will need (database connections, the DNS provider's library and connection), so
   * that it needs no set-up, and asks once ahead what it will ask first. Only reads. Worth calling when a hold begins, and
   * every few seconds while it lasts; returns at once, and what fails is found out again when it matters. `region`: only
   * the databases there.
   */
  warm(group: GroupId, region?: RegionId): void;
  /** Ends everything under way, as unknown, and gives connections back. */
  close(): Promise<void>;
};

export function createActor(options: ActorOptions): ConfiguredActor {
  const { config, clock, timers, log, variable, certificates = NO_CERTIFICATES } = options;
  const redactor = createRedactor();
  const secret = (reference: string): string => {
    const value = options.secret(reference);
    redactor.protect(value);
    return value;
  };
  const postgres = createPostgresPool(secret, timers, certificates);
  const route53 = createRoute53(secret);
  const canaries: CanaryWrites = new Map();
  const closing = new AbortController();
  const warming = new Set<Promise<void>>();

  const contextOf = (group: OperationContext['group'], timeoutMs: number, signal: AbortSignal): OperationContext => ({
    config,
    group,
    clock,
    timers,
    log,
    variable,
    secret,
    postgres,
    certificates,
    route53,
    canaries,
    signal,
    deadlineMono: clock.mono() + timeoutMs,
  });

  async function carryOut(operation: Perform, signal: AbortSignal): Promise<OperationResult> {
    const group = groupOf(config, operation);
    const act = ACTIONS[operation.stepKind]?.[operation.operation];
    if (group === null) return no('unsupported', `no group ${operation.group} is configured`);
    if (act === undefined) return no('unsupported', `${operation.stepKind} has no ${operation.operation}`);
    return await act(operation, contextOf(group, operation.timeoutMs - graceOf(operation.timeoutMs), signal));
  }

  async function perform(operation: Perform, signal: AbortSignal): Promise<OperationResult> {
    const startedMono = clock.mono();
    const result = await bounded(operation, signal).catch((error: unknown) =>
      // Nobody can say how far it got.
      unknown('internal', textOf(error)),
    );
    // Whatever a library or a program printed, no secret leaves this place (invariant 24).
    const clean: OperationResult = {
      ...result,
      message: redactor.text(result.message).slice(0, MESSAGE_CHARS),
      facts: Object.fromEntries(Object.entries(result.facts).map(([key, value]) => [key, redactor.value(value)])),
    };
    const { run, step, attempt } = operation;
    const durationMs = Math.round(clock.mono() - startedMono);
    const fields = {
      run,
      step,
      operation: operation.operation,
      attempt,
      kind: clean.kind,
      code: clean.code,
      durationMs,
    };
    if (clean.code === 'internal') log.warn(fields, clean.message);
    else log.debug(fields, clean.message);
    return clean;
  }

  /**
   * Gives the answer, or unknown once the time is up or nobody waits any more, whatever comes later. Adapters are told
   * a little before that, because what they can say of the end is worth more.
   */
  async function bounded(operation: Perform, outer: AbortSignal): Promise<OperationResult> {
    const { step, timeoutMs } = operation;
    const graceMs = graceOf(timeoutMs);
    const late = new AbortController();
    const signal = AbortSignal.any([outer, closing.signal, late.signal]);
    const cancels = [timers.after(timeoutMs - graceMs, () => late.abort())];
    const givenUp = new Promise<OperationResult>((resolve) => {
      const giveUp = (): void =>
        resolve(
          late.signal.aborted
            ? unknown('timeout', `${step}: no answer within ${timeoutMs} ms`)
            : unknown('cancelled', `${step}: given up before it answered`),
        );
      const soon = (): void => void cancels.push(timers.after(graceMs, giveUp));
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', soon, { once: true });
    });
    try {
      if (signal.aborted) return await givenUp;
      const result = await Promise.race([carryOut(operation, signal), givenUp]);
      // The connection ended because we ended it.
      return late.signal.aborted && result.code === 'broken' ? { ...result, code: 'timeout' } : result;
    } finally {
      // Nothing that was begun for this operation goes on after it.
      late.abort();
      for (const cancel of cancels) cancel();
    }
  }

  async function warmUp(groupId: GroupId, region: RegionId | undefined): Promise<void> {
    const group = config.groups[groupId];
    if (group === undefined) return;
    const late = new AbortController();
    const cancel = timers.after(WARM_TIMEOUT_MS, () => late.abort());
    const context = contextOf(group, WARM_TIMEOUT_MS, AbortSignal.any([closing.signal, late.signal]));
    const databases = allPostgres(group).flatMap((component) =>
      Object.keys(component.component.instances)
        .filter((each) => region === undefined || each === region)
        .flatMap((each) => postgresTarget(groupId, component, each) ?? []),
    );
    const names = allDns(group).filter(({ component }) => component.provider === 'route53');
    const failure = (what: string, message: string): void => log.debug({ group: groupId, what }, message);
    await Promise.all([
      ...databases.map(async (target) => {
        const found = await rehearse(target, context);
        if (found !== null) failure(target.key, found.message);
      }),
      ...names.map(async ({ id, component }) => {
        const names = [{ name: component.epochName, type: 'TXT' }] as const;
        const read = await route53.read(`${groupId}/${id}`, component, names, context);
        if (read.kind === 'failed') failure(id, read.message);
      }),
    ]).finally(cancel);
  }

  return {
    perform,
    warm(group, region) {
      if (closing.signal.aborted) return;
      const warmed = warmUp(group, region)
        .catch((error: unknown) => log.warn({ group }, textOf(error)))
        .finally(() => warming.delete(warmed));
      warming.add(warmed);
    },
    async close() {
      closing.abort();
      await Promise.all(warming);
      route53.close();
      await postgres.close();
    },
  };
}
