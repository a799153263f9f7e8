import t from 'tap';
import { newIncarnation, newNonce, newRequestId, newSessionId } from '../../src/runtime/ids.ts';

const MAKERS = { newIncarnation, newRequestId, newSessionId, newNonce };
const DIGITS: Readonly<Record<keyof typeof MAKERS, number>> = {
  newIncarnation: 16,
  newRequestId: 16,
  newSessionId: 32,
  newNonce: 32,
};

for (const name of Object.keys(MAKERS) as (keyof typeof MAKERS)[]) {
  t.test(`${name} gives ${DIGITS[name]} hex digits, never the same twice`, async (t) => {
    const ids = Array.from({ length: 1000 }, () => MAKERS[name]());
    t.ok(ids.every((id) => new RegExp(`^[0-9a-f]{${DIGITS[name]}}$`).test(id)));
    t.equal(new Set(ids).size, ids.length);
  });
}
