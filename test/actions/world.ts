// What the tests of the actor share: an actor over a configuration of the test's, and the operations asked of it.
import type t from 'tap';
import { createActor } from '../../src/actions/actor.ts';
import type { OperationContext } from '../../src/actions/context.ts';
import { createPostgresPool } from '../../src/actions/postgres-connection.ts';
import { createRoute53 } from '../../src/actions/route53.ts';
import type { ComponentConfig, Config, GroupConfig } from '../../src/model/config.ts';
import type { Operation, OperationResult, Perform } from '../../src/model/loop.ts';
import type { StepKind } from '../../src/model/plan.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { NO_CERTIFICATES } from '../../src/runtime/tls.ts';

export const A = 'us-east-1';
export const B = 'eu-central-1';
export const GROUP = 'platform';
export const EPOCH = 7;
export const RUN = 'run-platform-3';

export function configOf(
  components: { readonly [id: string]: ComponentConfig },
  fence: NonNullable<GroupConfig['fence']> = { driver: 'none' },
): Config {
  return {
    version: 1,
    daemon: { stateDir: 'state' },
    regions: { [A]: { role: 'primary' }, [B]: { role: 'secondary' } },
    vantages: { daemon: { region: B, controlTargets: ['tcp://127.0.0.1:53'] } },
    groups: { [GROUP]: { primary: A, secondary: B, components, fence } },
  };
}

const quiet = { debug: () => undefined, warn: () => undefined };

/** An actor that is closed with the test. Secrets are given as `${env:NAME}` and found in `secrets`. */
export function actorOf(test: Tap, config: Config, secrets: Readonly<Record<string, string>> = {}) {
  const actor = createActor({
    config,
    secret: (reference) => secrets[/^\$\{env:(\w+)\}$/.exec(reference)?.[1] ?? ''] ?? reference,
    clock: systemClock,
    timers: systemTimers,
    log: quiet,
    variable: (name) => process.env[name],
  });
  test.teardown(() => actor.close());
  return actor;
}
/** What an operation is given, for drivers that are asked without a step; `close` it afterwards. */
export function contextOf(
  config: Config,
  secrets: Readonly<Record<string, string>>,
  timeoutMs: number,
): { readonly context: OperationContext; readonly close: () => Promise<void> } {
  const secret = (reference: string): string => secrets[/^\$\{env:(\w+)\}$/.exec(reference)?.[1] ?? ''] ?? reference;
  const postgres = createPostgresPool(secret, systemTimers);
  const group = config.groups[GROUP];
  if (group === undefined) throw new RangeError(`no group ${GROUP}`);
  const late = new AbortController();
  const cancel = systemTimers.after(timeoutMs, () => late.abort());
  const route53 = createRoute53(secret);
  return {
    context: {
      config,
      group,
      clock: systemClock,
      timers: systemTimers,
      log: quiet,
      variable: (name) => process.env[name],
      secret,
      postgres,
      certificates: NO_CERTIFICATES,
      route53,
      canaries: new Map(),
      signal: late.signal,
      deadlineMono: systemClock.mono() + timeoutMs,
    },
    close: async () => {
      cancel();
      route53.close();
      await postgres.close();
    },
  };
}

/** What a helper needs of a test. */
export type Tap = Pick<typeof t, 'teardown'>;
export type TestActor = ReturnType<typeof actorOf>;

export type Asked = Partial<Perform> & { readonly stepKind: StepKind; readonly operation: Operation };
let asked = 0;

export function operation(changes: Asked): Perform {
  asked += 1;
  return {
    kind: 'perform',
    key: `${RUN}/${changes.stepKind}/${asked}`,
    step: changes.component == null ? changes.stepKind : `${changes.stepKind}.${changes.component}`,
    run: RUN,
    group: GROUP,
    component: null,
    from: A,
    to: B,
    epoch: EPOCH,
    attempt: 1,
    timeoutMs: 5000,
    preState: null,
    fence: 'none',
    ...changes,
  };
}

export const ask = (actor: TestActor, changes: Asked): Promise<OperationResult> =>
  actor.perform(operation(changes), new AbortController().signal);

/** What a test looks at first: the kind and the code. */
export const gist = ({ kind, code }: OperationResult): string => (code === null ? kind : `${kind} ${code}`);
