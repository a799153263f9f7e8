import t from 'tap';
import { ProbeErrorCode } from '../../src/model/evidence.ts';
import { networkFailure, VERDICTS } from '../../src/probes/failure.ts';
import { serverFailure } from '../../src/probes/postgres-connection.ts';

const error = (code: string): Error => Object.assign(new Error('something'), { code });

t.test('only what keeps clients out through the fault of target or path is held against it', (t) => {
  const bad = Object.entries(VERDICTS)
    .filter(([, { verdict }]) => verdict === 'bad')
    .map(([code]) => code);
  t.same(bad.sort(), ['missing', 'read-only', 'refused', 'reset', 'starting', 'status', 'timeout', 'unreachable']);
  t.same(Object.keys(VERDICTS).sort(), [...ProbeErrorCode.enum].sort(), 'every code has a verdict and a reason');
  t.end();
});

t.test('what went wrong with a connection is told by its code', (t) => {
  const codes = {
    ECONNREFUSED: 'refused',
    EHOSTUNREACH: 'unreachable',
    ENETUNREACH: 'unreachable',
    ENOTFOUND: 'unreachable',
    ETIMEDOUT: 'timeout',
    ECONNRESET: 'reset',
    EPIPE: 'reset',
    CERT_HAS_EXPIRED: 'tls',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
    ERR_TLS_CERT_ALTNAME_INVALID: 'tls',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
    HPE_INVALID_CONSTANT: 'protocol',
    // Our own machine: too many files, no port left, no resolver, a firewall.
    EMFILE: 'internal',
    EADDRNOTAVAIL: 'internal',
    EAI_AGAIN: 'internal',
    EPERM: 'internal',
  };
  for (const [code, expected] of Object.entries(codes))
    t.equal(networkFailure(error(code), 'x:1').code, expected, code);
  t.equal(networkFailure(new Error('refused reset timeout'), 'x:1').code, 'internal', 'the text decides nothing');
  t.equal(networkFailure('not an error', 'x:1').code, 'internal');
  t.end();
});

t.test('a name with several addresses gives one failure that tells of all', (t) => {
  const all = Object.assign(new AggregateError([new Error('first'), new Error('second')]), { code: 'ECONNREFUSED' });
  t.match(networkFailure(all, 'x:1'), { code: 'refused', message: /first.*second.*x:1/ });
  t.end();
});

t.test('what PostgreSQL says is told by its SQLSTATE', (t) => {
  const states = {
    '57P01': 'starting',
    '57P02': 'starting',
    '57P03': 'starting',
    '57014': 'timeout',
    '28000': 'auth',
    '28P01': 'auth',
    '42501': 'denied',
    '25006': 'read-only',
    '08006': 'reset',
    '08P01': 'protocol',
    '3D000': 'protocol',
    '53300': 'failed',
    '53100': 'failed',
    XX000: 'failed',
  };
  for (const [state, expected] of Object.entries(states)) t.equal(serverFailure(state, 'text').code, expected, state);
  t.end();
});
