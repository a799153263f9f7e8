/** Serves the states of the page by the real routes, on loopback. */
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import type { App } from '../../src/daemon/http/context.ts';
import { explainRoutes } from '../../src/daemon/http/explain.ts';
import { createLimits, RATES } from '../../src/daemon/http/limits.ts';
import { type StatusContext, statusNowOf, statusRoutes } from '../../src/daemon/http/status.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { PAGE_STATES, type PageState } from '../support/page-states.ts';

export type Served = {
  readonly url: string;
  /** From now on this is how things stand. */
  show(state: PageState): void;
  close(): Promise<void>;
};

const VERSION = '0.1.0';

/** `port` 0 = any that is free. */
export async function serveStates(port = 0): Promise<Served> {
  const first = PAGE_STATES['quiet'];
  if (first === undefined) throw new Error('there is no state to begin with');
  let shown: PageState = first();
  const app: App = fastify({ forceCloseConnections: true });
  // The clock stands where the history ended: a page of a state is the same at every look.
  const context: StatusContext = {
    engine: {
      state: () => shown.state,
      health: () => shown.engine,
      failureKind: () => null,
      submit: () => Promise.reject(new Error('this engine only stands there to be looked at')),
    },
    clock: { wall: () => shown.state.at, mono: () => shown.state.mono },
    timers: systemTimers,
    metrics: { eventStreams: () => undefined },
    version: VERSION,
  };
  app.decorateReply('problem', null);
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  statusRoutes(app, { ...context, clock: systemClock }, statusNowOf(context));
  explainRoutes(
    app,
    {
      ...{ engine: context.engine, clock: context.clock, log: createLog({ level: 'silent' }) },
      past: () => Promise.reject(new Error('there is no journal behind what is looked at')),
    },
    createLimits(RATES, systemClock.mono),
  );
  await app.listen({ host: '127.0.0.1', port });
  const [address] = app.addresses() as AddressInfo[];
  return {
    url: `http://127.0.0.1:${address?.port}`,
    show: (state) => {
      shown = state;
    },
    close: () => app.close(),
  };
}
