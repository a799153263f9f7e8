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
import type { HttpCredentials } from '../../runtime/http-credentials.ts';
import type { Log } from '../../runtime/log.ts';
import type { Metrics } from '../metrics.ts';
import type { People } from '../people.ts';
import type { ReplyBook } from './replies.ts';
import type { WitnessDesk } from './witness-desk.ts';

/** The engine as its HTTP face knows it. */
export type EngineFace = Pick<Engine, 'submit' | 'state' | 'health' | 'failureKind'>;

export type HttpContext = {
  readonly engine: EngineFace;
  readonly replies: ReplyBook;
  readonly people: People;
  /** What Alertmanager must present; null where the config has no alertmanager section. */
  readonly webhookCredentials: HttpCredentials | null;
  /** Asks all Alertmanagers soon: one left alerts out of a webhook, or says that one has ended. */
  readonly askWhatFires: () => void;
  readonly witnesses: WitnessDesk;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Draws what must never come twice: the nonce of an approval (design §6). */
  readonly newNonce: () => string;
  readonly version: string;
};

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;
