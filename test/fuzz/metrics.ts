/** Answers of whatever stands where a Prometheus should: one finite number, or a failure with a name; never a rejection. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { askPrometheus } from '../../src/probes/prometheus.ts';
import { brokenBytes, change, changed } from './hostile.ts';
import { type FuzzTarget, must } from './target.ts';

const real = (resultType: string, result: unknown) => ({ status: 'success', data: { resultType, result } });
const REAL = [
  real('vector', [{ metric: { job: 'app' }, value: [1_768_201_635, '0.25'] }]),
  real('scalar', [1_768_201_635.1, '1']),
  real('vector', []),
  real('matrix', [{ metric: {}, values: [[1, '2']] }]),
  { status: 'error', errorType: 'bad_data', error: 'parse error' },
] as const;
const body = fc
  .tuple(fc.constantFrom(...REAL), fc.array(change, { maxLength: 3 }))
  .chain(([answer, changes]) => brokenBytes(fc.constant(changed(answer, changes))));
const status = fc.constantFrom(200, 200, 200, 200, 204, 301, 400, 401, 422, 500, 503);

export const metrics: FuzzTarget = {
  name: 'PromQL answers',
  weight: 3,
  async prepare() {
    let now: { readonly status: number; readonly body: Buffer } = { status: 200, body: Buffer.alloc(0) };
    const server = createServer((_request, response) => {
      response.writeHead(now.status, { 'content-type': 'application/json', connection: 'close' });
      response.end(now.status === 204 ? undefined : now.body);
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/prometheus`);
    return {
      property: fc.asyncProperty(status, body, async (status, body) => {
        now = { status, body };
        const answer = await askPrometheus(
          { url, authorization: () => null },
          { promql: 'up', at: null },
          { signal: AbortSignal.timeout(20_000), log: () => undefined },
        );
        if (answer.kind === 'failed') must(answer.failure.message !== '', () => 'it failed without a word');
        else
          must(
            status === 200 && Number.isFinite(answer.value),
            () => `${answer.value} was taken of ${status}: ${body}`,
          );
      }),
      close: async () => {
        server.closeAllConnections();
        await new Promise<void>((closed) => server.close(() => closed()));
      },
    };
  },
};
