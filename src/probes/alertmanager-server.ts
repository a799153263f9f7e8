/** The probe of an Alertmanager: is it ready, and does its API answer what it is? */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { addressIn, getJson, readyFailure } from './api-request.ts';
import { type Failure, verdictOf } from './failure.ts';
import type { Probe, ProbeAnswer } from './probe.ts';

/** What we read of its status; `disabled` = it stands alone. */
const Status = Compile(
  Type.Object({
    cluster: Type.Object({
      status: Type.String({ maxLength: 40 }),
      peers: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 100 })),
    }),
  }),
);

export const probeAlertmanager: Probe<'alertmanager'> = async (target, { signal, log }) => {
  const failure = await readyFailure({ ...target, url: addressIn(target, '-/ready'), signal, log });
  if (failure !== null) return failed(failure.reached, failure.failure);
  const answer = await getJson({ ...target, url: addressIn(target, 'api/v2/status'), signal, log });
  if ('failure' in answer) return failed('ready', answer.failure);
  if (!Status.Check(answer.value))
    return failed('ready', { code: 'protocol', message: 'it did not answer as Alertmanager’s API v2 does' });
  const { status, peers } = answer.value.cluster;
  return {
    verdict: 'ok',
    reached: 'read',
    code: null,
    message: null,
    facts: { cluster: status, peers: peers?.length ?? 0 },
  };
};

const failed = (reached: string, failure: Failure): ProbeAnswer<'alertmanager'> => ({
  verdict: verdictOf(failure),
  reached,
  code: failure.code,
  message: failure.message,
  facts: null,
});
