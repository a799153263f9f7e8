/**
 * Every code an operation's result may carry, with what it means to a person. A closed set: the run machine decides by
 * `kind`, people and pages read these.
 */
export const ACTION_CODES = {
  // The operation itself.
  timeout: 'no answer within the time the operation had',
  cancelled: 'the daemon stopped waiting, or is stopping',
  internal: 'failoverd failed inside; the target may or may not have been reached',
  unsupported: 'this step is not carried out by an actor, or not with this configuration',
  'no-pre-state': 'the state before the step is not known, so nothing can be compared with it',

  // PostgreSQL.
  unreachable: 'no connection could be made; nothing was sent',
  broken: 'the connection ended before the answer came',
  auth: 'the server does not accept our credentials',
  starting: 'the server is starting up or shutting down',
  denied: 'a permission is missing',
  rejected: 'the server refused the request',
  'not-in-recovery': 'the server is no standby (any more)',
  'in-recovery': 'the server is a standby still',
  foreign: 'the system identifier is another cluster’s',
  'behind-check': 'the standby lacks what the check saw on it: another one answers at its address',
  'not-pinned': 'no system identifier is known to compare with',
  'replay-paused': 'replay is paused on the standby',
  'timeline-unknown': 'the server did not tell its timeline',
  'not-yet': 'not promoted in time; the request stands and may take effect later',
  'still-in-recovery': 'not promoted so far',
  'foreign-timeline': 'writable on a timeline that our promotion does not explain',
  'not-writable': 'the new primary did not take a write under our epoch',
  'higher-epoch': 'somebody holds a higher epoch, or ours under another run',
  absent: 'the epoch row is not there',

  // What manages the PostgreSQL.
  managed: 'something else promotes this server: a promotion behind its back would be undone by it',
  'manager-unreachable': 'what manages the server could not be asked, or could not ask its own store',
  'manager-paused': 'what manages the server is paused, and would not act',
  'manager-no-leader': 'what manages the server has no leader at the moment',
  'manager-refused': 'what manages the server did not confirm the request; it may have taken it all the same',
  'manager-disagrees': 'PostgreSQL and what manages it say two things of the promotion',
  'not-leader': 'the server at the configured address is not the one that would be promoted',
  'not-streaming': 'the old side does not stream from the new one so far',

  // Fence programs.
  'not-off': 'the fence program says that the old side is not off',
  'not-found': 'the fence program does not exist',
  'not-executable': 'the fence program can’t be executed',
  'exit-75': 'the fence program can’t tell (exit 75)',
  'exit-other': 'the fence program ended with a code that says nothing',
  signal: 'the fence program was ended by a signal',
  spawn: 'the fence program could not be started',
  'fence-lost': 'the old side was off and is not any more',

  // Guards.
  refused: 'the guard turned the order down, and says why',
  'no-lease': 'the target’s guard does not have the lease for this run',
  'not-standby': 'the guard is nothing that could be promoted, and says why',

  // DNS records.
  conflict: 'the records are not what was read: somebody changed them, nothing was applied',
  throttled: 'the provider refused the request for being one too many; nothing was applied',
  'server-error': 'the provider failed; the change may have been applied',
  'no-zone': 'the hosted zone does not exist',
  'foreign-txt': 'the epoch name holds a text that is not failoverd’s',
  'not-simple': 'the name has a routing policy, which one batch can’t replace',
  'not-applied': 'the change is not there',
  'records-differ': 'our epoch is there, and the records are not the target’s',

  // Through the public name.
  'no-answer': 'no resolver answered',
  stale: 'a resolver answers something other than the target',
  status: 'the service answered with another status than expected',
} as const;
export type ActionCode = keyof typeof ACTION_CODES;
