// What an error of the provider says of the change that was asked for: certainly nothing, or anything.
import { connect } from 'node:net';
import t from 'tap';
import { zoneFailure } from '../../src/actions/route53.ts';

const failing = (fields: object): Error => Object.assign(new Error('it failed'), fields);
const said = (error: unknown, outOfTime = false) => {
  const { code, mayHaveApplied } = zoneFailure(error, outOfTime);
  return `${code} ${mayHaveApplied ? 'open' : 'none'}`;
};
const answered = (httpStatusCode: number, name = 'SomeError') =>
  failing({ name, $metadata: { httpStatusCode, requestId: 'x' } });

t.test('without a connection nothing was sent', async (t) => {
  const refused = await new Promise<Error>((resolve) => {
    connect({ host: '127.0.0.1', port: 1 }).on('error', resolve);
  });
  t.equal(said(refused), 'unreachable none');
  t.equal(said(new AggregateError([refused, refused])), 'unreachable none', 'at none of its addresses');
  t.equal(said(failing({ code: 'ENOTFOUND', syscall: 'getaddrinfo' })), 'unreachable none');
});

t.test('a connection that ends under a request leaves the change open, by whatever code it ends', async (t) => {
  for (const code of ['EHOSTUNREACH', 'ENETUNREACH', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'])
    for (const syscall of ['read', 'write', undefined]) t.equal(said(failing({ code, syscall })), 'broken open', code);
  const read = failing({ code: 'EHOSTUNREACH', syscall: 'read' });
  const connected = failing({ code: 'ECONNREFUSED', syscall: 'connect' });
  t.equal(said(new AggregateError([connected, read])), 'broken open', 'one of them is enough');
  t.equal(said(new AggregateError([])), 'broken open');
  t.equal(said(failing({}), true), 'timeout open');
  t.equal(said('thrown'), 'broken open');
});

t.test('an answer that refuses had no effect; one that failed, or can’t be read, may have', async (t) => {
  t.equal(said(answered(400, 'InvalidChangeBatch')), 'conflict none');
  t.equal(said(answered(400, 'PriorRequestNotComplete')), 'throttled none');
  t.equal(said(answered(400, 'Throttling')), 'throttled none');
  t.equal(said(answered(429)), 'throttled none');
  t.equal(said(answered(403, 'AccessDenied')), 'denied none');
  t.equal(said(answered(400, 'InvalidInput')), 'rejected none');
  for (const status of [500, 502, 503, 504, 200, 302])
    t.equal(said(answered(status)), 'server-error open', `${status}`);
});
