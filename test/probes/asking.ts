/** How the tests of the probes ask: with the clocks and timers of this process, and a deadline as the runner sets it. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { ProbeKind } from '../../src/model/evidence.ts';
import type { Probe, ProbeAnswer } from '../../src/probes/probe.ts';
import type { ControlTarget, DnsTarget, HttpTarget, TargetOf } from '../../src/probes/target.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { systemTimers } from '../../src/runtime/timers.ts';

export type Ask = {
  readonly fresh?: boolean;
  readonly canary?: boolean;
  readonly vantage?: string;
  /** Aborts the probe from outside, as a stop of the process does. */
  readonly signal?: AbortSignal;
};
export type Asked<K extends ProbeKind> = ProbeAnswer<K> & {
  readonly tookMs: number;
  readonly lines: readonly string[];
};

/** One probe of one target, and how long it took. */
export async function ask<K extends ProbeKind>(probe: Probe<K>, target: TargetOf<K>, how: Ask = {}): Promise<Asked<K>> {
  const lines: string[] = [];
  const deadline = AbortSignal.timeout(target.timeoutMs);
  const startedMono = systemClock.mono();
  const answer = await probe(target, {
    vantage: how.vantage ?? 'daemon',
    signal: how.signal === undefined ? deadline : AbortSignal.any([deadline, how.signal]),
    fresh: how.fresh ?? false,
    canary: how.canary ?? false,
    clock: systemClock,
    timers: systemTimers,
    log: (line) => lines.push(line),
  });
  return { ...answer, tookMs: systemClock.mono() - startedMono, lines };
}

const subject = { group: 'shop', region: 'east', intervalMs: 1000, timeoutMs: 1000 };

export const httpTarget = (url: string, over: Partial<HttpTarget> = {}): HttpTarget => {
  return { kind: 'http', key: 'shop/api/east', component: 'api', ...subject, url, expectStatus: [200], ...over };
};
export const dnsTarget = (resolver: string, over: Partial<DnsTarget> = {}): DnsTarget => {
  const name = 'www.shop.test';
  return { kind: 'dns', key: 'shop/name/east', component: 'name', ...subject, name, type: 'A', resolver, ...over };
};
export const controlTarget = (target: string): ControlTarget => {
  return { kind: 'control', key: `control/${target}`, target, intervalMs: 1000, timeoutMs: 500 };
};

/** A TCP server that does with each connection what it is told, and shows which are open. */
export type RawServer = {
  readonly host: string;
  readonly port: number;
  readonly open: ReadonlySet<Socket>;
  accepted(): number;
  close(): Promise<void>;
};

export async function rawServer(serve: (socket: Socket) => void, host = '127.0.91.1'): Promise<RawServer> {
  const open = new Set<Socket>();
  let accepted = 0;
  const server: Server = createServer((socket) => {
    accepted += 1;
    open.add(socket);
    // A probe that goes away in the middle is what many of these tests are about.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
    serve(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { host, port, open, accepted: () => accepted, close };
}

/** Accepts, reads, and never says a word: what a half-open peer looks like from here. */
export const silent = (socket: Socket): void => void socket.resume();
export const hangUp = (socket: Socket): void => void socket.once('data', () => socket.destroy());
export const resetAtOnce = (socket: Socket): void => void socket.once('data', () => socket.resetAndDestroy());
