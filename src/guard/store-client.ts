/** The controller's lease store, and the guards of the other regions, over HTTP. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { PromiseRequest } from '../model/guard.ts';
import { LeaseAnswer, type LeaseStore } from '../model/lease.ts';
import type { Certificates } from '../runtime/tls.ts';
import { below, callJson, type JsonAnswer } from './json-call.ts';

export type Place = {
  readonly url: string;
  /** As it is at each request, for a token may be renewed. */
  readonly token: () => string;
  readonly certificates: Certificates | null;
};

const Answer = Compile(LeaseAnswer);
const Problem = Compile(Type.Object({ title: Type.String(), detail: Type.Optional(Type.String()) }));
const Promised = Compile(
  Type.Object({ promised: Type.Boolean(), why: Type.String() }, { additionalProperties: false }),
);

export const LEASE_PATH = '/api/v1/lease';
export const PROMISE_PATH = '/v1/promise';

/** Every answer of the store is 200, a refusal by its rules too; whatever else comes says nothing of the set. */
export function httpLeaseStore({ url, token, certificates }: Place): LeaseStore {
  const at = below(url, LEASE_PATH);
  return {
    async ask(request, signal) {
      const answer = await callJson({ url: at, token, certificates, body: request, signal });
      if (answer.status !== 200) throw new Error(`the store answered ${wordsOf(answer)}`);
      if (!Answer.Check(answer.body)) throw new Error('the store answered what this version does not know');
      return answer.body;
    },
  };
}

/** Resolves to whether the peer has promised; rejects where it has not answered. */
export async function askForPromise(
  { url, token, certificates }: Place,
  ask: PromiseRequest,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await callJson({ url: below(url, PROMISE_PATH), token, certificates, body: ask, signal });
  if (answer.status !== 200) throw new Error(`the peer answered ${wordsOf(answer)}`);
  if (!Promised.Check(answer.body)) throw new Error('the peer answered what this version does not know');
  return answer.body.promised;
}

function wordsOf({ status, body }: JsonAnswer): string {
  if (!Problem.Check(body)) return String(status);
  return `${status}: ${body.title}${body.detail === undefined ? '' : ` (${body.detail})`}`;
}
