/** The real HTTP face on a real socket, before the core as a lease store. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import type { Test } from 'tap';
import Value from 'typebox/value';
import { createGuards } from '../../src/daemon/guards.ts';
import type { App } from '../../src/daemon/http/context.ts';
import { RATES } from '../../src/daemon/http/limits.ts';
import { createReplies } from '../../src/daemon/http/replies.ts';
import { createHttp } from '../../src/daemon/http/server.ts';
import { createMetrics } from '../../src/daemon/metrics.ts';
import { createPeople } from '../../src/daemon/people.ts';
import { LeaseAnswer, type LeaseRequest } from '../../src/model/lease.ts';
import { createReportDesk } from '../../src/probes/report.ts';
import { newNonce } from '../../src/runtime/ids.ts';
import { createLog } from '../../src/runtime/log.ts';
import { createTimers } from '../../src/runtime/timers.ts';
import { bearer, until } from '../daemon/http/harness.ts';
import { GROUP } from '../support/group.ts';
import { A, B, COMPONENT, type StoreUnderTest } from './contract.ts';
import { type Core, startCore } from './core.ts';

export const TOKENS: Readonly<Record<string, string>> = { [A]: 'guard-a', [B]: 'guard-b' };
export const ANN = bearer('token-of-ann');

export type Face = StoreUnderTest & { readonly core: Core; readonly app: App; readonly url: string };

export async function serve(t: Pick<Test, 'teardown'>, rates = RATES): Promise<Face> {
  const timers = createTimers();
  const replies = createReplies({ timers });
  const core = await startCore({ alsoReply: (reply) => replies.port.reply(reply), newClocks: false });
  const app = createHttp({
    engine: {
      submit: (input) => core.engine().submit(input),
      state: () => core.engine().state(),
      health: () => core.engine().health(),
      failureKind: () => core.engine().failureKind(),
    },
    replies,
    people: createPeople([
      { id: 'ann', roles: ['sre'], token: 'token-of-ann' },
      { id: 'vic', roles: ['viewer'], token: 'token-of-vic' },
    ]),
    guards: createGuards(
      Object.entries(TOKENS).map(([region, token]) => ({ group: GROUP, component: COMPONENT, region, token })),
    ),
    webhookCredentials: () => null,
    askWhatFires: () => undefined,
    witnesses: createReportDesk({ session: 'session-0123456789', keys: new Map(), clock: core.clock }),
    reload: async () => ({ kind: 'failed' }),
    past: async () => ({ events: [], firstAt: null, lastAt: null }),
    metrics: createMetrics({ version: 'test' }),
    log: createLog({ level: 'error', destination: { write: () => undefined } }),
    clock: core.clock,
    timers,
    newNonce,
    version: 'test',
    rates,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses() as AddressInfo[];
  const url = `http://127.0.0.1:${address?.port}`;
  t.teardown(async () => {
    await app.close();
    await core.engine().stop();
  });
  const ask = async (request: LeaseRequest): Promise<LeaseAnswer> => {
    const response = await post(url, request, bearer(TOKENS[request.guard] ?? ''));
    if (response.status !== 200) throw new Error(await response.text());
    return Value.Parse(LeaseAnswer, await response.json());
  };
  return {
    ...core,
    core,
    app,
    url,
    ask,
    async askInVain(request) {
      const before = core.inputs.length;
      const body = JSON.stringify(request);
      const socket = connect(address?.port ?? 0, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(
        `POST /api/v1/lease HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS[request.guard]}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      await until('the request', () => (core.inputs.length > before ? true : null));
      socket.destroy();
    },
    async clear() {
      const path = `/api/v1/groups/${GROUP}/leases/${COMPONENT}/clear`;
      const response = await post(url, { reason: 'looked at both' }, ANN, path);
      if (response.status !== 200) throw new Error(await response.text());
    },
  };
}

export const post = (
  url: string,
  body: unknown,
  headers: Record<string, string>,
  path = '/api/v1/lease',
): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
