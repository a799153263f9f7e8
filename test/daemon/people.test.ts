// Tokens and the people behind them.
import t from 'tap';
import { createPeople } from '../../src/daemon/people.ts';
import { bearerOf } from '../../src/runtime/bearer.ts';

t.test('a person is known by the token alone', async (t) => {
  const people = createPeople([
    { id: 'ann', roles: ['sre'], token: 'abc' },
    { id: 'bob', roles: ['vp'], token: 'abcd' },
  ]);
  t.equal(people.identify('Bearer abcd')?.id, 'bob');
  t.equal(people.identify('bearer abc')?.id, 'ann');
  for (const header of [
    undefined,
    '',
    'abc',
    'Bearer',
    'Bearer ',
    'Bearer ab',
    'Basic abc',
    'Bearer abc def',
    'Bearer abc\u0000',
  ])
    t.equal(people.identify(header), null, String(header));
});

t.test('a token that two people share would make one of them two', async (t) => {
  const same = [
    { id: 'ann', roles: ['sre'], token: 'abc' },
    { id: 'bob', roles: ['vp'], token: 'abc' },
  ] as const;
  t.throws(() => createPeople(same), /ann and bob/);
});

t.test('a token may hold what RFC 6750 lets it', async (t) => {
  t.equal(bearerOf('Bearer aZ09-._~+/=='), 'aZ09-._~+/==');
});
