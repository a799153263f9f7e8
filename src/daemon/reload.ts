/**
 * Reading the config anew while running. One at a time: read, checked, and only then shown to the core; the core says
 * whether it can be taken, and what a config decides changes places in the very turn that made it durable. A bad one, or one
 * that an open run stands against, leaves everything as it is (design §6).
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import canonicalize from 'canonicalize';
import type { Engine } from '../engine/engine.ts';
import type { Config } from '../model/config.ts';
import type { Reply } from '../model/loop.ts';
import type { Loaded } from '../runtime/config/load.ts';
import { type Problem, problemText } from '../runtime/config/problem.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import type { Log } from '../runtime/log.ts';
import type { Redact } from '../runtime/redact.ts';
import type { ReplyBook } from './http/replies.ts';

/** A config with its secrets, or why it can't be had. */
export type Read =
  | { readonly kind: 'read'; readonly loaded: Loaded; readonly secrets: Secrets }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

export type ReloadAnswer =
  | {
      readonly kind: 'taken';
      readonly configHash: string;
      /** Keys that changed and count only after a restart. */
      readonly restartNeeded: readonly string[];
      /** Raises of autonomy that wait for people. */
      readonly raises: readonly string[];
      /** Proposals that nobody can approve any more. */
      readonly withdrawn: readonly string[];
    }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }
  /** Valid, and an open run stands against it. */
  | { readonly kind: 'held'; readonly problems: readonly string[] }
  /** Nothing can be made durable. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'no-reply' };

export type Reloader = {
  /** `by` is a person, or the signal. Never rejects. */
  reload(by: string): Promise<ReloadAnswer>;
  /** To be told of every reply of the core, before anything that follows it. */
  replied(reply: Reply): void;
};

export type ReloaderOptions = {
  readonly read: () => Promise<Read>;
  readonly engine: Pick<Engine, 'submit' | 'state'>;
  readonly replies: Pick<ReplyBook, 'waitFor'>;
  readonly log: Log;
  /** Keeps the secrets known so far out of what is told (invariant 24). */
  readonly redact: () => Redact;
  /** The config that this process was started with: what it fixed stays. */
  readonly started: Pick<Loaded, 'config' | 'folder'>;
  /** Makes what the config decides; what is returned puts it in its place, or gives it up. */
  readonly prepare: (loaded: Loaded, secrets: Secrets) => { take(): void; discard(): void };
  /** Told of each reload as it begins and when it has ended, whatever came of it. */
  readonly watch?: ReloadWatch | undefined;
};

export type ReloadWatch = { began(): void; ended(): void };

const REPLY_WITHIN_MS = 10_000;
/** What the journal keeps of one problem. */
const PROBLEM_CHARS = 1000;
const MOST_PROBLEMS = 50;

/** What the journal keeps of the config: SHA-256 over its canonical JSON. It holds references, never secrets. */
export function hashOf(config: Config): string {
  return createHash('sha256')
    .update(canonicalize(config) ?? '')
    .digest('hex');
}

export function createReloader(options: ReloaderOptions): Reloader {
  const { read, engine, replies, log, redact, started, prepare, watch } = options;
  let count = 0;
  let last: Promise<unknown> = Promise.resolve();
  /** By who asked. */
  const waiting = new Map<string, Promise<ReloadAnswer>>();
  /** The one reload that waits for the core, with what its yes puts in place. */
  let open: { readonly request: string; readonly settle: (taken: boolean) => void } | null = null;

  const tell = async (by: string, configHash: string | null, problems: readonly Problem[]): Promise<ReloadAnswer> => {
    const clean = redact();
    const told = problems.slice(0, MOST_PROBLEMS).map((problem) => cleaned(problem, clean));
    log.error({ by, problems: told.length }, 'the config on disk was refused: the one in force stays');
    const texts = told.map((problem) => problemText(problem).slice(0, PROBLEM_CHARS));
    try {
      await engine.submit({ kind: 'reload-refused', by, configHash, problems: texts });
    } catch (error) {
      log.error({ err: error }, 'that a config was refused could not be made durable');
    }
    return { kind: 'refused', problems: told };
  };

  const once = async (by: string): Promise<ReloadAnswer> => {
    const found = await read();
    if (found.kind === 'refused') return await tell(by, null, found.problems);
    const { loaded, secrets } = found;
    const configHash = hashOf(loaded.config);
    const restartNeeded = restartNeededBy(started, loaded);
    const prepared = prepare(loaded, secrets);
    count += 1;
    const request = `reload-${engine.state().incarnation}-${count}`;
    let settled = false;
    open = {
      request,
      settle(taken) {
        settled = true;
        open = null;
        if (taken) prepared.take();
        else prepared.discard();
      },
    };
    const answering = replies.waitFor(request, REPLY_WITHIN_MS);
    try {
      await engine.submit({ kind: 'reloaded', request, by, configHash, settings: loaded.settings, restartNeeded });
    } catch (error) {
      log.error({ err: error }, 'a config could not be made durable');
      answering.cancel();
      open = null;
      if (!settled) prepared.discard();
      return { kind: 'failed' };
    }
    const reply = await answering.reply;
    if (reply === null) return { kind: 'no-reply' };
    const texts = (key: string): string[] => (Array.isArray(reply.body[key]) ? reply.body[key].map(String) : []);
    if (reply.status >= 400) return { kind: 'held', problems: texts('problems') };
    return { kind: 'taken', configHash, restartNeeded, raises: texts('raises'), withdrawn: texts('withdrawn') };
  };

  return {
    reload(by) {
      // One that has not begun yet reads what is on disk after this call, too: a storm of signals is two reloads.
      const next = waiting.get(by);
      if (next !== undefined) return next;
      const answer = last.then(async () => {
        waiting.delete(by);
        watch?.began();
        try {
          return await once(by);
        } finally {
          watch?.ended();
        }
      });
      waiting.set(by, answer);
      last = answer.catch(() => undefined);
      return answer;
    },
    replied(reply) {
      if (open?.request === reply.request) open.settle(reply.status < 400);
    },
  };
}

const cleaned = (problem: Problem, clean: Redact): Problem => ({
  ...problem,
  value: clean(problem.value),
  message: clean(problem.message),
  remedy: clean(problem.remedy),
});

/** Where it listens and where its journal is, a process is told once. */
function restartNeededBy(started: Pick<Loaded, 'config' | 'folder'>, now: Loaded): string[] {
  const stateDir = ({ config, folder }: Pick<Loaded, 'config' | 'folder'>): string =>
    resolve(folder, config.daemon.stateDir);
  const changed = (key: string, before: string, after: string): string[] =>
    before === after ? [] : [`${key}: ${before} until a restart, then ${after}`];
  return [
    ...changed('daemon.listen', listenOf(started.config), listenOf(now.config)),
    ...(canonicalize(started.config.daemon.tls ?? null) === canonicalize(now.config.daemon.tls ?? null)
      ? []
      : ['daemon.tls: as it was until a restart']),
    ...(stateDir(started) === stateDir(now)
      ? []
      : changed('daemon.stateDir', started.config.daemon.stateDir, now.config.daemon.stateDir)),
  ];
}

export const DEFAULT_LISTEN = '127.0.0.1:8080';
export const listenOf = (config: Config): string => config.daemon.listen ?? DEFAULT_LISTEN;
