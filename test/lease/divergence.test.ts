// A guard tells the controller what its PostgreSQL alone has: who may say it, of what, and what is refused.
import t from 'tap';
import { bearer } from '../daemon/http/harness.ts';
import { GROUP } from '../support/group.ts';
import { A, COMPONENT } from './contract.ts';
import { serve, TOKENS } from './face.ts';

const FOUND = {
  component: COMPONENT,
  timeline: 1,
  forkLsn: '0/5000000',
  endLsn: '0/5000800',
  commits: 3,
  prepared: 0,
  firstCommitAt: 1,
  lastCommitAt: 2,
  complete: true,
  relations: [{ file: '1663/5/16390', name: 'app: app.writes', changes: 3 }],
  moreRelations: 0,
  archive: 'archive/one',
};

t.test('only the guard of that PostgreSQL, of a run that there is, in the shape that is published', async (t) => {
  const { url } = await serve(t);
  const tell = async (body: object, token: Record<string, string> = bearer(TOKENS[A] ?? '')) => {
    const answer = await fetch(`${url}/api/v1/divergence`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...token },
      body: JSON.stringify(body),
    });
    return { status: answer.status, problem: (await answer.json()) as { type?: string; field?: string } };
  };
  const whole = { group: GROUP, run: 'run-platform-1', divergence: FOUND };
  t.match(await tell(whole, {}), { status: 401 });
  t.match(await tell(whole, bearer('token-of-ann')), { status: 401 }, 'a person’s token is none');
  t.match(await tell({ ...whole, group: 'another' }), { status: 403, problem: { field: '/group' } });
  const foreign = { ...whole, divergence: { ...FOUND, component: 'other' } };
  t.match(await tell(foreign), { status: 403, problem: { field: '/divergence/component' } });
  t.match(await tell(whole), { status: 404 }, 'there was no such run');
  t.match(await tell({ ...whole, divergence: { ...FOUND, commits: '3' } }), { status: 422 }, 'nothing is coerced');
  t.match(await tell({ ...whole, more: 1 }), { status: 422 });
});
