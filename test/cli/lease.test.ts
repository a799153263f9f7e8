// Who may write, in a terminal; and what a person takes on who lets a halted store go on.
import t from 'tap';
import { A, B, Guard, settled } from '../lease/contract.ts';
import { serve } from '../lease/face.ts';
import { call, tooWide } from './terminal.ts';

const ANN = { FAILOVERD_TOKEN: 'token-of-ann' };

t.test('nothing is known yet', async (t) => {
  const { url } = await serve(t);
  t.match(await call(['lease', '--url', url]), { code: 0, out: /No guard has asked for a lease yet/ });
});

t.test('holder, ages, the wait, in 80 columns', async (t) => {
  const store = await serve(t);
  await new Guard(store, A).pinAnew();
  t.match(
    (await call(['lease', '--url', store.url])).out,
    /may write nobody yet[\s\S]*nobody takes a lease for 58 s more/,
  );
  const { a } = await settled(store);
  await a.set();
  await store.pass(4_000);
  const { code, out } = await call(['lease', 'platform', '--url', store.url]);
  t.equal(code, 0);
  t.match(out, /platform\/db/);
  t.match(out, new RegExp(`may write ${A}, at epoch 1`));
  t.match(out, /renewed +4 s ago/);
  t.match(out, new RegExp(`after it +${B}`));
  t.strictSame(tooWide(out), []);
  const json = JSON.parse((await call(['lease', '--json', '--url', store.url])).out) as { leases: object[] };
  t.match(json.leases, [{ group: 'platform', component: 'db', holder: A }]);
  t.match(await call(['lease', 'platfrom', '--url', store.url]), { code: 2, err: /did you mean platform\?/ });
  t.match(await call(['lease', 'platform', 'more', '--url', store.url]), { code: 2 });
});

t.test('a halted store says so, and goes on when a person who may has said why', async (t) => {
  const store = await serve(t);
  const { b } = await settled(store);
  const clear = (...args: string[]) => call(['lease', 'clear', 'platform/db', '--url', store.url, ...args], ANN);
  t.match(await clear('--why', 'looked at both', '--yes'), { code: 3, err: /not\s+halted/ });
  b.obeyed = 7;
  await b.read();
  const { out } = await call(['lease', '--url', store.url]);
  t.match(out, /HALTED +the guard in eu-central-1 has obeyed epoch 7/);
  t.strictSame(tooWide(out), []);
  t.match(await clear('--yes'), { code: 2, err: /a reason is needed/ });
  t.match(await clear('--why', 'x', '--yes'), { code: 2, err: /too short/ });
  t.match(await clear('--why', 'looked at both'), { code: 2, err: /nobody can be asked here/ });
  t.match(await clear('--why', 'looked at both', '--json'), { code: 2, err: /--json asks nothing/ });
  t.match(await call(['lease', 'clear', 'db', '--why', 'looked', '--url', store.url], ANN), { code: 2 });
  t.match(await call(['lease', 'clear', '--url', store.url], ANN), { code: 2 });
  t.match(await call(['lease', 'clear', 'nobody/db', '--why', 'looked', '-y', '--url', store.url], ANN), { code: 2 });
  t.match(
    await call(['lease', 'clear', 'platform/db', '--why', 'looked at both', '-y', '--url', store.url], {
      FAILOVERD_TOKEN: 'token-of-vic',
    }),
    { code: 1, err: /roles/ },
  );
  t.equal((await b.read()).kind, 'refused', 'nothing of it cleared anything');
  const cleared = await clear('--why', 'looked at both', '--yes');
  t.match(cleared, { code: 0, out: /older than what a guard has seen[\s\S]*above epoch 7/ });
  t.strictSame(tooWide(cleared.out), []);
  t.equal((await b.read()).kind, 'is');
});
