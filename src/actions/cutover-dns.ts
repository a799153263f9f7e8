/**
 * Clients follow: the public name gets the target's records, in one atomic batch with a TXT record that holds the
 * epoch. The batch deletes the TXT exactly as it was read and creates ours, so that it fails as a whole when somebody
 * came in between; and a higher epoch in it halts the run (design §7).
 */
import type { Change, ResourceRecordSet } from '@aws-sdk/client-route-53';
import type { DnsComponent } from '../model/config.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { durationMs } from '../model/primitives.ts';
import { halt, no, type OperationContext, ok, type StepActions, unknown } from './context.ts';
import { plainRecord, sameAnswers, targetAnswers } from './dns-answers.ts';
import { writableAtOurEpoch } from './epoch-row.ts';
import type { ZoneFailure } from './route53.ts';
import { meant, type Named } from './targets.ts';

type Name = Named<DnsComponent>;
type NameAct = (dns: Name, operation: Perform, context: OperationContext) => Promise<OperationResult>;

export const cutoverDns: StepActions = {
  check: onName(checkRecords),
  do: onName(moveRecords),
  verify: onName(verifyRecords),
};

function onName(act: NameAct) {
  return async (operation: Perform, context: OperationContext): Promise<OperationResult> => {
    const found = meant(operation, context.group, 'dns');
    const [dns] = found;
    if (dns === undefined || found.length > 1) return no('unsupported', 'a cut-over must name one DNS component');
    const { provider, records } = dns.component;
    if (provider !== 'route53') return no('unsupported', `DNS provider ${provider} is not there yet`);
    if ((records[operation.to] ?? []).length === 0) {
      return no('unsupported', `${dns.id} has no records for ${operation.to}, and a name must never answer nothing`);
    }
    return await act(dns, operation, context);
  };
}

/** What stands in the zone now, and whose it is. */
type Standing = {
  readonly kind: 'standing';
  readonly records: ResourceRecordSet | null;
  readonly txt: ResourceRecordSet | null;
  readonly whose: 'ours' | 'earlier' | 'nobody';
  readonly moved: boolean;
};

async function checkRecords(dns: Name, operation: Perform, context: OperationContext): Promise<OperationResult> {
  const [writable, standing] = await Promise.all([
    writableAtOurEpoch(operation, context),
    standingOf(dns, operation, context),
  ]);
  if (standing.kind === 'halt' || writable.kind === 'halt') return standing.kind === 'halt' ? standing : writable;
  if (writable.kind !== 'ok') return writable; // invariant 13
  if (standing.kind !== 'standing') return standing;
  const { records, txt, whose, moved } = standing;
  return ok(`${dns.component.name} may be moved to ${operation.to}`, {
    records,
    txt,
    already: whose === 'ours' && moved,
  });
}

async function moveRecords(dns: Name, operation: Perform, context: OperationContext): Promise<OperationResult> {
  const read = await readBefore(dns, operation, context);
  if ('code' in read) return read;
  if (read.already) return ok(`${dns.component.name} leads to ${operation.to} already`);
  const done = await context.route53.change(
    keyOf(dns, operation),
    dns.component,
    batchOf(dns.component, operation, read.txt),
    context,
  );
  if (done.kind === 'failed') return failed(done, done.mayHaveApplied);
  return ok(`${dns.component.name} is moved to ${operation.to}`, { changeId: done.changeId });
}

type Before = { readonly txt: ResourceRecordSet | null; readonly already: boolean };

/** The pre-state is what was there before the first attempt; a later one has to compare with what is there now. */
async function readBefore(dns: Name, operation: Perform, context: OperationContext): Promise<Before | OperationResult> {
  const pre = operation.preState;
  if (operation.attempt <= 1 && pre !== null && 'txt' in pre) {
    return { txt: pre['txt'] as ResourceRecordSet | null, already: pre['already'] === true };
  }
  const standing = await standingOf(dns, operation, context);
  // Nothing was sent: whatever hindered the read, there is certainly no effect.
  if (standing.kind !== 'standing') return standing.kind === 'halt' ? standing : { ...standing, kind: 'no' };
  return { txt: standing.txt, already: standing.whose === 'ours' && standing.moved };
}

async function verifyRecords(dns: Name, operation: Perform, context: OperationContext): Promise<OperationResult> {
  const standing = await standingOf(dns, operation, context);
  if (standing.kind !== 'standing') return standing;
  const { whose, moved, records, txt } = standing;
  const facts = { records, txt };
  if (whose !== 'ours') return no('not-applied', `${dns.component.epochName} does not hold our epoch`, facts);
  if (!moved) return no('records-differ', `${dns.component.name} is not what our batch made it`, facts);
  return ok(`${dns.component.name} leads to ${operation.to}, at epoch ${operation.epoch}`, facts);
}

const keyOf = (dns: Name, operation: Perform): string => `${operation.group}/${dns.id}`;

const failed = (failure: ZoneFailure, open: boolean): OperationResult =>
  open ? unknown(failure.code, failure.message) : no(failure.code, failure.message);

async function standingOf(
  { id, component }: Name,
  operation: Perform,
  context: OperationContext,
): Promise<Standing | OperationResult> {
  const read = await context.route53.read(
    keyOf({ id, component }, operation),
    component,
    [
      { name: component.name, type: component.type ?? 'A' },
      { name: component.epochName, type: 'TXT' },
    ],
    context,
  );
  if (read.kind === 'failed') return failed(read, true);
  const [records = [], txts = []] = read.sets;
  const routed = [...records, ...txts].find((set) => set.SetIdentifier !== undefined);
  if (routed !== undefined) {
    return no(
      'not-simple',
      `${routed.Name} has a routing policy (${routed.SetIdentifier}): it must be a simple record`,
    );
  }
  const txt = plain(txts[0]);
  const holder = txt === null ? null : holderOf(txt);
  if (holder === 'foreign') {
    return no('foreign-txt', `${component.epochName} holds a text that is not failoverd’s`, { txt });
  }
  const ours = holder?.epoch === operation.epoch && holder.run === operation.run;
  if (holder !== null && holder.epoch >= operation.epoch && !ours) {
    return halt(
      'higher-epoch',
      `${component.epochName} holds epoch ${holder.epoch} of ${holder.run}; ours is ${operation.epoch} of ${operation.run}`,
      { txt },
    );
  }
  const now = plain(records[0]);
  const moved = now !== null && sameAnswers(valuesOf(now), targetAnswers(component, operation.to));
  const whose = ours ? 'ours' : holder === null ? 'nobody' : 'earlier';
  return { kind: 'standing', records: now, txt, whose, moved };
}

const valuesOf = (set: ResourceRecordSet): string[] =>
  (set.ResourceRecords ?? []).map(({ Value }) => plainRecord(Value ?? '')).sort();

/** As JSON holds it: what is journaled with the intent must be the very thing that is deleted. */
function plain(set: ResourceRecordSet | undefined): ResourceRecordSet | null {
  return set === undefined ? null : (JSON.parse(JSON.stringify(set)) as ResourceRecordSet);
}

const epochText = (operation: Perform): string => `"failoverd epoch=${operation.epoch} run=${operation.run}"`;

function holderOf(txt: ResourceRecordSet): { readonly epoch: number; readonly run: string } | 'foreign' {
  const [only, ...more] = txt.ResourceRecords ?? [];
  const match = /^"failoverd epoch=(\d{1,15}) run=(run-[a-z0-9-]+)"$/.exec(only?.Value ?? '');
  const run = match?.[2];
  return run === undefined || more.length > 0 ? 'foreign' : { epoch: Number(match?.[1]), run };
}

function batchOf(component: DnsComponent, operation: Perform, txt: ResourceRecordSet | null): Change[] {
  const ttlSeconds = Math.round(durationMs(component.ttl ?? '30s') / 1000);
  const set = (name: string, type: ResourceRecordSet['Type'], values: readonly string[]): ResourceRecordSet => ({
    Name: name,
    Type: type,
    TTL: ttlSeconds,
    ResourceRecords: values.map((Value) => ({ Value })),
  });
  return [
    ...(txt === null ? [] : [{ Action: 'DELETE' as const, ResourceRecordSet: txt }]),
    { Action: 'CREATE', ResourceRecordSet: set(component.epochName, 'TXT', [epochText(operation)]) },
    {
      Action: 'UPSERT',
      ResourceRecordSet: set(component.name, component.type ?? 'A', component.records[operation.to] ?? []),
    },
  ];
}
