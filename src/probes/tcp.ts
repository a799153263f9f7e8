/** The TCP probe: the address takes a connection, and ends a TLS handshake where the config asks for one. */
import { connectOnce } from './connect.ts';
import { verdictOf } from './failure.ts';
import type { Probe } from './probe.ts';

export const probeTcp: Probe<'tcp'> = async ({ host, port, tls, certificates }, { signal, log }) => {
  const secure = tls === 'disable' ? null : { verify: tls === 'verify-full', certificates };
  const result = await connectOnce({ address: { host, port }, tls: secure, signal, log });
  if (result.kind === 'connected')
    return { verdict: 'ok', reached: result.reached, code: null, message: null, facts: null };
  const { reached, failure } = result;
  return { verdict: verdictOf(failure), reached, ...failure, facts: null };
};
