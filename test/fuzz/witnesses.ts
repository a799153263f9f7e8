/** Reports of witnesses: signed ones with anything in them, and everything that is not signed. */
import { sign } from 'node:crypto';
import fc from 'fast-check';
import { REPORT_PATH, SIGNATURE_HEADER, signReport } from '../../src/probes/report.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { look, SESSION, WITNESS_KEY } from '../daemon/http/harness.ts';
import { asking, renewing } from './answering.ts';
import { brokenBytes, change, changed } from './hostile.ts';
import type { FuzzTarget } from './target.ts';

export const witnesses: FuzzTarget = {
  name: 'witnesses',
  weight: 5,
  async prepare() {
    const daemon = renewing(1_000);
    let sequence = 0;
    const report = fc.array(change, { maxLength: 3 }).map((changes) => ({ changes }));
    const input = report.chain(({ changes }) =>
      fc.record({ changes: fc.constant(changes), broken: brokenBytes(fc.constant('')), signed: fc.boolean() }),
    );
    return {
      property: fc.asyncProperty(input, async ({ changes, broken, signed }) => {
        sequence += 1;
        const real = {
          vantage: 'dublin',
          session: SESSION,
          sequence,
          sentAt: systemClock.wall(),
          observations: look('dublin'),
        };
        const made = signReport(real, WITNESS_KEY);
        const body = Buffer.concat([
          Buffer.from(changed(JSON.parse(Buffer.from(made.body).toString()), changes)),
          broken,
        ]);
        const own = `ed25519=${sign(null, body, WITNESS_KEY).toString('base64')}`;
        await asking(await daemon.now(), {
          method: 'POST',
          url: REPORT_PATH,
          headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: signed ? own : made.signature },
          payload: body,
        });
      }),
      close: () => daemon.close(),
    };
  },
};
