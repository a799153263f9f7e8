/** Alertmanager's payload, and everything that only looks like it. */
import fc from 'fast-check';
import { alert, BEARER, bearer, payload } from '../daemon/http/harness.ts';
import { asking, renewing } from './answering.ts';
import { brokenBytes, change, changed, hostileText } from './hostile.ts';
import type { FuzzTarget } from './target.ts';

const REAL = payload([alert(), alert({ status: 'resolved', fingerprint: 'feedface00000000' })], {
  groupLabels: { region: 'us-east-1' },
  commonLabels: { severity: 'critical' },
});

const body = fc.oneof(
  { weight: 6, arbitrary: fc.array(change, { maxLength: 4 }).map((changes) => Buffer.from(changed(REAL, changes))) },
  { weight: 2, arbitrary: brokenBytes(fc.array(change, { maxLength: 2 }).map((changes) => changed(REAL, changes))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 5_000 }), fc.constantFrom('[', '{"a":'))
      .map(([depth, open]) => Buffer.from(open.repeat(depth))),
  },
);
const type = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/json') },
  { weight: 1, arbitrary: fc.constantFrom('text/plain', 'application/xml', 'application/json; charset=utf-16', '') },
  { weight: 1, arbitrary: hostileText.map((text) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)) },
);

export const webhooks: FuzzTarget = {
  name: 'webhooks',
  weight: 45,
  async prepare() {
    const daemon = renewing(2_000);
    return {
      property: fc.asyncProperty(body, type, async (payload, contentType) => {
        await asking(await daemon.now(), {
          method: 'POST',
          url: '/webhooks/alertmanager',
          headers: { ...bearer(BEARER), 'content-type': contentType },
          payload,
        });
      }),
      close: () => daemon.close(),
    };
  },
};
