/**
 * Checks of a guard's configuration whose shape is right: does it hang together, and does it keep the rules of the lease.
 */
import { DEAD_MAN_OF, type GuardConfig } from '../../../model/guard-config.ts';
import { addressOf, isLoopback } from '../address.ts';
import type { Source } from '../document.ts';
import type { Problem } from '../problem.ts';
import { leavesOf } from '../schema.ts';
import { gathering, type Telling } from './context.ts';
import { checkLeaves } from './forms.ts';
import { checkTimings } from './lease.ts';
import { checkClient, checkConnection, checkListener } from './tls.ts';

type GuardCheck = (config: GuardConfig, telling: Telling) => void;

export function checkGuard(
  config: GuardConfig,
  source: Source,
): { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] } {
  const told = gathering(source);
  checkLeaves(told, leavesOf(config, source.schema));
  for (const check of CHECKS) check(config, told);
  return told.found();
}

const checkPeers: GuardCheck = ({ region, peers, token }, { error }) => {
  if (Object.hasOwn(peers, region))
    error({
      code: 'peer-itself',
      path: ['peers', region],
      on: 'key',
      value: region,
      message: 'this is the region the guard stands in itself, and nobody is a peer of oneself',
      remedy: 'name the other region',
    });
  for (const [peer, { token: theirs }] of Object.entries(peers))
    if (theirs === token)
      error({
        code: 'token-twice',
        path: ['peers', peer, 'token'],
        message: 'it is this guard’s own token, by which the lease store tells the two apart',
        remedy: 'give each a token of its own',
      });
};

/** A dead-man of another kind than the lease says proves another thing than the controller believes. */
const checkDeadMan: GuardCheck = ({ deadMan, lease, cgroup }, { error }) => {
  const kind = DEAD_MAN_OF[deadMan.driver];
  if (kind !== lease.deadMan)
    error({
      code: 'dead-man-kind',
      path: ['deadMan', 'driver'],
      message: `this is a dead-man of the kind ${kind}, and lease.deadMan says ${lease.deadMan}`,
      remedy: `write lease.deadMan: ${kind} here and in the group, or another driver`,
    });
  if (deadMan.driver === 'process' && deadMan.cgroup !== undefined && deadMan.cgroup === cgroup)
    error({
      code: 'dead-man-frozen',
      path: ['deadMan', 'cgroup'],
      message: 'PostgreSQL runs in this cgroup: what freezes it freezes the dead-man too, and what kills it kills it',
      remedy: 'name a cgroup of its own',
    });
  if (deadMan.driver === 'process' && (deadMan.startedBy ?? 'guard') === 'guard' && deadMan.cgroup === undefined)
    error({
      code: 'dead-man-frozen',
      path: ['deadMan'],
      on: 'key',
      value: 'deadMan',
      message: 'the guard would start it in its own cgroup, where what freezes the guard freezes it too',
      remedy: 'add cgroup:, or run it as a unit or container of its own and write startedBy: service',
    });
};

const checkListen: GuardCheck = ({ listen = '127.0.0.1:8432', tls }, { warn }) => {
  if (tls !== undefined || isLoopback(addressOf(listen)?.host ?? '')) return;
  warn({
    code: 'guard-plain-http',
    path: ['listen'],
    value: listen,
    message: 'tokens that stop and promote this PostgreSQL go over plain HTTP',
    remedy: 'add tls:, or let something in front of it speak TLS and listen on 127.0.0.1',
  });
};

const checkCertificates: GuardCheck = (config, telling) => {
  checkListener(telling, config.tls, undefined);
  if (config.store.tls !== undefined) checkClient(telling, ['store', 'tls'], config.store.tls, [config.store.url]);
  for (const [peer, { tls, url }] of Object.entries(config.peers))
    if (tls !== undefined) checkClient(telling, ['peers', peer, 'tls'], tls, [url]);
  if (config.replication !== undefined)
    checkConnection(telling, ['replication'], config.replication, config.replication.tls ?? 'verify-full');
};

/** What a peer offers to stream from is of no use without a role to do it as, and the other way round. */
const checkReplication: GuardCheck = ({ replication, peers }, { error }) => {
  const without = Object.entries(peers).filter(([, peer]) => peer.postgres === undefined);
  if (replication !== undefined)
    for (const [peer] of without)
      error({
        code: 'replication-half',
        path: ['peers', peer, 'postgres'],
        value: 'missing',
        message: 'replication says how to follow the other side, and its address is not named',
        remedy: 'add postgres: with its host:port, or leave replication out',
      });
  else
    for (const [peer, { postgres }] of Object.entries(peers))
      if (postgres !== undefined)
        error({
          code: 'replication-half',
          path: ['peers', peer, 'postgres'],
          message: 'the other side is named to follow it, and no role to do it as',
          remedy: 'add replication: with user and password, or leave postgres out',
        });
};

const CHECKS: readonly GuardCheck[] = [
  checkPeers,
  checkDeadMan,
  checkListen,
  checkCertificates,
  checkReplication,
  ({ lease }, telling) => checkTimings(telling, lease, ['lease']),
];
