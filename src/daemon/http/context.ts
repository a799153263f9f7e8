/** What the routes are built on. Each takes the parts it needs; nothing here is reached for globally. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Engine } from '../../engine/engine.ts';
import type { Clock, Timers } from '../../engine/ports.ts';
import type { KeptEvents } from '../../model/explanation.ts';
import type { GroupId, WallMs } from '../../model/primitives.ts';
import type { Log } from '../../runtime/log.ts';
import type { Guards } from '../guards.ts';
import type { Metrics } from '../metrics.ts';
import type { People } from '../people.ts';
import type { Rates } from './limits.ts';
import type { Reload } from './reload.ts';
import type { ReplyBook } from './replies.ts';
import type { SecureListener } from './secure.ts';
import type { WebhookCredentials } from './webhook-proof.ts';
import type { WitnessDesk } from './witness-desk.ts';

/** The engine as its HTTP face knows it. */
export type EngineFace = Pick<Engine, 'submit' | 'state' | 'health' | 'failureKind'>;

export type HttpContext = {
  readonly engine: EngineFace;
  readonly replies: ReplyBook;
  readonly people: People;
  readonly guards: Pick<Guards, 'identify'>;
  /** What Alertmanager must present, asked at each webhook; null where the config has no alertmanager section. */
  readonly webhookCredentials: () => WebhookCredentials | null;
  /** Asks all Alertmanagers soon: one left alerts out of a webhook, or says that one has ended. */
  readonly askWhatFires: () => void;
  readonly witnesses: WitnessDesk;
  readonly reload: Reload;
  /** What the journal kept of a group, as of an instant. Rejects with a `StoreError` when it can't be read. */
  readonly past: (group: GroupId, at: WallMs) => Promise<KeptEvents>;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Draws what must never come twice: the nonce of an approval (design §6). */
  readonly newNonce: () => string;
  readonly version: string;
  /** Certificates to listen with; without it the listener speaks plain HTTP. */
  readonly secure?: SecureListener | undefined;
  /** Other limits than those of `limits.ts`. */
  readonly rates?: Rates;
};

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;
