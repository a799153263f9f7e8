import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, isIPv4 } from 'node:net';

/** One check of an endpoint, as a Route 53 health checker makes it. Only 127.0.0.0/8 is ever contacted. */

export interface ProbeTarget {
  readonly kind: 'http' | 'https' | 'tcp';
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly hostHeader: string | null;
  /** The text the first 5120 octets of the body must contain. */
  readonly searchString: string | null;
}

export interface ProbeOutcome {
  readonly healthy: boolean;
  /** In Route 53's words, for GetHealthCheckStatus. */
  readonly status: string;
}

/** Four seconds to connect; for HTTP two more to answer. */
const connectTimeoutMs = 4000;
const httpTimeoutMs = 6000;
const searchedOctets = 5120;

export const isLoopback = (address: string) => isIPv4(address) && address.startsWith('127.');

const failure = (reason: string): ProbeOutcome => ({ healthy: false, status: `Failure: ${reason}` });

function probeTcp(target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host: target.address, port: target.port });
    const finish = (outcome: ProbeOutcome) => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(outcome);
    };
    const abort = () => finish(failure('the check was abandoned'));
    signal.addEventListener('abort', abort);
    socket.setTimeout(connectTimeoutMs, () => finish(failure('Connection timed out')));
    socket.on('error', (error) => finish(failure(error.message)));
    socket.on('connect', () => finish({ healthy: true, status: 'Success: TCP connection established' }));
    if (signal.aborted) abort();
  });
}

function judge(target: ProbeTarget, statusCode: number, body: string): ProbeOutcome {
  const status = `HTTP Status Code ${statusCode}`;
  if (statusCode < 200 || statusCode >= 400) return failure(status);
  if (target.searchString !== null && !body.includes(target.searchString)) {
    return failure(`${status}. String not found in the body`);
  }
  return { healthy: true, status: `Success: ${status}` };
}

function probeHttp(target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const options = {
      host: target.address,
      port: target.port,
      path: target.path,
      method: 'GET',
      agent: false as const,
      headers: target.hostHeader === null ? {} : { host: target.hostHeader },
      signal: AbortSignal.any([signal, AbortSignal.timeout(httpTimeoutMs)]),
    };
    // Route 53 doesn't verify certificates of what it checks.
    const request =
      target.kind === 'https' ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    request.on('error', (error) => resolve(failure(error.message)));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let octets = 0;
      const finish = () => {
        resolve(judge(target, response.statusCode ?? 0, Buffer.concat(chunks).subarray(0, searchedOctets).toString()));
        request.destroy();
      };
      response.on('error', (error) => resolve(failure(error.message)));
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        octets += chunk.length;
        if (octets >= searchedOctets) finish();
      });
      response.on('end', finish);
    });
    request.end();
  });
}

export function probeOnce(target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome> {
  return target.kind === 'tcp' ? probeTcp(target, signal) : probeHttp(target, signal);
}
