/** Addresses, methods, headers, queries and bodies of the API; with and without a right token. */
import fc from 'fast-check';
import { bearer, TOKENS } from '../daemon/http/harness.ts';
import { asking, renewing } from './answering.ts';
import { brokenBytes, change, changed, hostileText, PROTOTYPE_NAMES } from './hostile.ts';
import type { FuzzTarget } from './target.ts';

const ORDERS = [
  ['/api/v1/proposals/ID/approve', { planHash: 'a'.repeat(64), breakGlass: 'nobody answers' }],
  ['/api/v1/proposals/ID/abort', { reason: 'not now' }],
  ['/api/v1/runs/ID/approve', {}],
  ['/api/v1/runs/ID/abort', { reason: 'not now' }],
  ['/api/v1/groups/ID/reports', { report: 'corruption', what: 'sums do not add up' }],
  ['/api/v1/groups/ID/reports/corruption/clear', { reason: 'all is well' }],
  ['/api/v1/witness/reports', {}],
] as const;
const READS = [
  '/status',
  '/api/v1/status',
  '/groups/orders/explain',
  '/api/v1/groups/orders/explain',
  '/-/healthy',
  '/-/ready',
  '/metrics',
  '/api/v1/openapi.json',
  '/',
  '/nowhere',
] as const;

const segment = fc.oneof(
  fc.constantFrom('orders', 'proposal-orders-1', 'run-orders-1', ...PROTOTYPE_NAMES),
  hostileText.map((text) => encodeURIComponent(text.toWellFormed()).slice(0, 300)),
  hostileText.map((text) => text.replace(/[^\x21-\x7e]/g, '~').slice(0, 100)),
);
const headerText = hostileText.map((text) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200));
const headers = fc
  .record(
    {
      authorization: fc.oneof(
        fc.constantFrom(...Object.values(TOKENS)).map((token) => bearer(token).authorization),
        headerText,
        headerText.map((text) => `Bearer ${text}`),
        headerText.map((text) => `Basic ${Buffer.from(text).toString('base64')}`),
      ),
      'idempotency-key': fc.oneof(fc.constantFrom('one', '"two"', 'three'), headerText),
      'content-type': fc.oneof(
        { weight: 5, arbitrary: fc.constant('application/json') },
        { weight: 1, arbitrary: headerText },
      ),
      accept: fc.oneof(fc.constantFrom('application/json', 'text/html', '*/*;q=0.1'), headerText),
      'failoverd-signature': headerText,
      'x-forwarded-for': headerText,
    },
    { requiredKeys: [] },
  )
  .map((made) => made as Record<string, string>);
const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc
      .array(
        fc.tuple(fc.oneof(fc.constantFrom('group', 'refresh', 'row', 'at', ...PROTOTYPE_NAMES), segment), segment),
        {
          maxLength: 3,
        },
      )
      .map((pairs) => `?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`),
  },
);

const order = fc
  .tuple(fc.constantFrom(...ORDERS), segment, fc.array(change, { maxLength: 2 }))
  .chain(([[path, body], id, changes]) =>
    brokenBytes(fc.constant(changed(body, changes))).map((payload) => ({
      url: path.replace('ID', id),
      method: 'POST',
      payload,
    })),
  );
const read = fc
  .tuple(
    fc.constantFrom(...READS),
    fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'POST', 'PATCH'),
  )
  .map(([url, method]) => ({ url, method, payload: undefined }));

export const api: FuzzTarget = {
  name: 'api',
  weight: 33,
  async prepare() {
    const daemon = renewing(2_000);
    return {
      property: fc.asyncProperty(
        fc.oneof({ weight: 3, arbitrary: order }, { weight: 1, arbitrary: read }),
        query,
        headers,
        async (asked, query, headers) => {
          await asking(await daemon.now(), { ...asked, url: `${asked.url}${query}`, headers });
        },
      ),
      close: () => daemon.close(),
    };
  },
};
