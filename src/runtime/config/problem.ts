/**
 * What can be wrong with a configuration. A closed set of codes; the words are for people, and never hold a secret
 * (invariant 24).
 */
import { escaped } from './escape.ts';

export type Position = { readonly line: number; readonly column: number };
/** Keys and list indexes from the top of the file. */
export type KeyPath = readonly (string | number)[];

export const PROBLEMS = {
  // The file
  'file-unreadable': 'The file is not there, is no regular file, or may not be read.',
  'file-too-large': 'The file is larger than any configuration should be.',
  'not-utf8': 'The file is not UTF-8 text.',
  'yaml-syntax': 'The text is not YAML.',
  'yaml-version': 'The file asks for another version of YAML.',
  'yaml-documents': 'The file holds more than one document.',
  'yaml-too-deep': 'Values are nested too deeply.',
  'yaml-alias': 'An alias names no anchor that stands before it, or itself.',
  'yaml-alias-bomb': 'Aliases multiply the values beyond the limit.',
  'yaml-tag': 'A value has a tag that means nothing here.',
  'yaml-key': 'A key is not plain text.',
  'duplicate-key': 'A key is written twice in one mapping.',
  empty: 'The file holds no configuration.',
  'not-a-mapping': 'The file is no mapping of keys to values.',
  // The shape of one value
  'unknown-key': 'A key that is not known where it stands.',
  'missing-key': 'A key that must be there is not.',
  'bad-name': 'A name that people chose has characters that names may not have.',
  'wrong-type': 'A value of another type than its key takes.',
  'not-allowed': 'A value that is none of those its key takes.',
  'out-of-range': 'A number beyond its limits.',
  'empty-text': 'A text that may not be empty is.',
  'empty-list': 'A list that may not be empty is.',
  'too-many': 'A list with more entries than are taken.',
  'too-few': 'A mapping with fewer entries than are needed.',
  'bad-duration': 'A span of time that is not written as one.',
  'duration-too-long': 'A span of time longer than 400 days.',
  'bad-host-port': 'An address that is not host:port.',
  'bad-port': 'A port outside 1 to 65535.',
  'bad-address': 'A host that is neither an IP address nor a host name.',
  'bad-url': 'An address that is not an http or https URL.',
  'bad-control-target': 'A control target that is neither tcp://host:port nor a URL.',
  'bad-file': 'A path of a file that is none.',
  'bad-path': 'A path, of a URL or of this machine, that does not begin with a slash.',
  'bad-digits': 'An identifier that is not made of 10 to 20 digits.',
  'bad-time': 'A time of day that is not written as HH:MM.',
  'bad-date': 'A day that is not written as YYYY-MM-DD, or that no calendar has.',
  'bad-matcher': 'An alert matcher that is not written as label="value" or label!="value".',
  'bad-comparison': 'Which numbers are bad is not written as a comparison with a number.',
  'bad-instant': 'An instant that is not written as RFC 3339 with its zone, or that no calendar has.',
  'bad-cause': 'A cause that maintenance can’t suppress.',
  'bad-time-zone': 'A time zone that is not in the IANA database.',
  // Secrets
  'plain-secret': 'A secret stands in the file itself.',
  'bad-reference': 'A reference to a secret that is not written as ${env:NAME} or ${file:PATH}.',
  'misplaced-reference': 'A reference stands where no secret is expected, and would be taken literally.',
  'key-half': 'An access key, or a certificate, without its other half.',
  'token-form': 'A token holds characters that can’t be sent as a bearer token.',
  'token-twice': 'Two holders of tokens share one.',
  'secret-unset': 'An environment variable that a reference names is not set.',
  'secret-empty': 'A secret that a reference names is empty.',
  'secret-unreadable': 'A file that a reference names can’t be read, or is too large.',
  // Certificates
  'client-ca': 'Client certificates are asked for, and nothing says which are trusted.',
  'tls-unused': 'Certificates for connections that are not made by TLS, or are not verified.',
  'pem-unreadable': 'A certificate or key can’t be read, or is too large.',
  'pem-bad': 'A file that holds no certificate or no private key in PEM.',
  'pem-pair': 'A private key that does not belong to its certificate.',
  // Regions and vantages
  'region-roles': 'Not exactly one primary and one secondary region.',
  'unknown-region': 'A region that is not declared.',
  'region-not-in-group': 'A region that is neither the primary nor the secondary of the group.',
  'region-is-witness': 'A witness region holds no data and can be neither side of a group.',
  'same-region': 'The primary and the secondary of a group are the same region.',
  'vantage-daemon-missing': 'No vantage is named daemon.',
  'vantage-key-missing': 'A witness without a public key.',
  'vantage-key-bad': 'A public key that is not 32 bytes in base64.',
  'vantage-key-unexpected': 'The daemon’s own vantage has a public key.',
  'vantage-key-twice': 'Two witnesses share one key.',
  'control-target-is-component': 'A control target is one of the components watched.',
  'quorum-too-large': 'A quorum of more vantages than there are.',
  'quorum-not-majority': 'A quorum of half of the vantages, or fewer.',
  // Components
  'instance-missing': 'A component without an address in a region of its group.',
  'instance-same': 'A component with the same address in both regions.',
  'instance-twice': 'Two PostgreSQL components with the same address.',
  'probe-zero': 'A probe interval or timeout that is too short.',
  'probe-timeout': 'A probe timeout of more than ten intervals.',
  'records-missing': 'A DNS name without records for a region of its group.',
  'dns-record': 'A DNS record that does not fit its type.',
  'records-same': 'A DNS name with the same records for both regions.',
  'dns-name': 'A name that is no DNS name.',
  'dns-epoch-name': 'An epoch record that can’t stand where it is put.',
  'dns-name-twice': 'Two DNS components write the same records.',
  'dns-ttl': 'A time to live that does not fit the DNS budget or 60 s.',
  'dns-ttl-fraction': 'A time to live that is not made of whole seconds.',
  // Matrix
  'row-id-twice': 'Two rows with one number.',
  'row-order': 'Rows that are not in the order of their numbers.',
  'bad-expression': 'A condition that is no expression, or of wrong types.',
  'unknown-fact': 'An expression reads a fact that does not exist.',
  'negated-fact': 'An expression negates a fact, by which unknown would pass for well.',
  'not-in-rows': 'An expression of more than a row needs.',
  'row-too-wide': 'A row that reads more facts than anybody can follow.',
  'row-never-matches': 'A row that no values make match.',
  'row-against': 'A row that stands in the way and does not say of what, or decides and stands in the way.',
  'gate-against-loss': 'Maintenance stands against the loss of a region.',
  'row-action-missing': 'A decide row that does not say what it does.',
  'row-action': 'An action that does not fit the kind of row.',
  'row-auto': 'A row that decides nothing and may act by itself.',
  'row-for-zero': 'A row that would fail over at the first sight.',
  'maintenance-times': 'A maintenance window without times, with two kinds of them, or that ends before it begins.',
  'maintenance-cause': 'Maintenance that names a row which is not there, or which it may not suppress.',
  'silences-without-api': 'Silences are mapped, and no Alertmanager is named that could be asked for them.',
  'row-scope':
    'A row is judged for each component of a kind that the group has none of, or that its action does not fit.',
  'fact-scope': 'A row reads a fact that those it is judged for don’t have.',
  'row-shadowed': 'A row that never gets its turn.',
  'row-on-metrics-alone': 'A row that would act by itself on metrics alone.',
  // Metrics
  'prometheus-missing': 'A fact that no Prometheus is there to be asked for.',
  'unknown-server': 'A Prometheus that is not declared.',
  'fact-verdict': 'A verdict that does not say which values are bad, or a number that does.',
  'fact-promql': 'An expression that is no PromQL, or can’t give one value.',
  'fact-fresh-short': 'A fact that would be unknown between two samples.',
  'fact-every-zero': 'A fact or a server that is given no time.',
  'server-twice': 'One Prometheus is named twice.',
  // Times
  'budget-zero': 'A phase without time.',
  'budget-over-rto': 'Phases that wait for each other and take longer than the RTO.',
  'rto-over-target': 'An RTO of the group that is longer than the target of a component.',
  'target-too-tight': 'A target shorter than what a failover takes.',
  'rpo-unmeasurable': 'An RPO shorter than the time between two probes.',
  'lag-over-rpo': 'A lag target longer than the RPO.',
  'fence-over-budget': 'A fence that may take all of the database budget.',
  'hold-gap-short': 'A hold that would start anew between two ordinary probes.',
  // The lease and who promotes
  'timing-zero': 'A timing of a lease that takes no time.',
  'timing-attempt': 'q < r is broken: two attempts at a renewal would be under way at once.',
  'timing-demote': 'E + 3q + r <= G is broken: an election of the store would stop a healthy primary.',
  'timing-dead-man': 'G + K <= H is broken: the dead-man would come before the guard has stopped PostgreSQL itself.',
  'timing-lease': '2H <= L (relative dead-man) or H <= L is broken: PostgreSQL could outlive its lease.',
  'timing-wait': 'L(1 + rho)/(1 - rho) + 2 s <= W is broken: a candidate would not wait out a lease.',
  'wait-over-rto': 'A lease that is still waited for when the RTO is over.',
  'lease-missing': 'A PostgreSQL with a guard in a group without a lease.',
  'lease-unused': 'A lease in a group whose PostgreSQL has no guard.',
  'control-missing': 'A PostgreSQL whose control lacks what it is reached by.',
  'control-unused': 'Settings of another control than the one that is named.',
  'fence-without-guard': 'The fence of a guard that is not there.',
  // Autonomy and authority
  'auto-without-fence': 'Automatic failover without a fence.',
  'auto-without-proof': 'Automatic failover by a fence that proves nothing once the region is gone.',
  'pager-missing': 'A group that needs people, and no pager.',
  'people-missing': 'Too few people for the approvals that are needed.',
  'hours-empty': 'Business hours that end when they begin.',
  // Alerts
  'webhook-credentials': 'Webhooks are to be proven by none of bearer and basic, or by both.',
  'api-credentials': 'Credentials for an API twice, or without an API.',
  'basic-user': 'A user name that basic authentication can’t carry.',
  'api-twice': 'One Alertmanager is named twice.',
  'api-url': 'The address of an API, or of Prometheus, with a query or a fragment.',
  'unknown-group': 'A group that is not declared.',
  'unknown-component': 'A component that is not declared in the group.',
  // A guard’s own file
  'peer-itself': 'A guard that is its own peer.',
  'dead-man-kind': 'A dead-man of another kind than the lease says.',
  'dead-man-frozen': 'A dead-man that is frozen together with what it watches over.',
  'replication-half': 'The other side’s address without a role to follow it, or the other way round.',
  // Warnings
  'hours-over-midnight': 'Business hours that end on the day after they began.',
  'group-homed-elsewhere': 'A group whose primary is not the region with the role primary.',
  'vantages-same-region': 'Two vantages in one region see one path.',
  'alertmanager-in-primary': 'Alertmanager stands in a region whose loss it should report.',
  'api-plain-http': 'Credentials are sent to Alertmanager’s API, or to Prometheus, over plain HTTP.',
  'prometheus-in-primary': 'Prometheus stands in a region whose loss takes its facts along.',
  'public-url-not-moved': 'A public URL whose name no DNS component of the group moves.',
  'row-auto-ineffective': 'A row that may act by itself in a group that is not auto.',
  'row-for-short': 'A hold shorter than one observation counts.',
  'hold-gap-long': 'A hold that forgives gaps as long as itself.',
  'matrix-without-decide': 'A matrix that never proposes a failover.',
  'approvals-single': 'One person alone approves in business hours.',
  'isolation-for-nothing': 'An isolated primary that stops although its stop proves nothing.',
  'guard-plain-http': 'A guard that takes its orders over plain HTTP.',
  'pager-plain-http': 'Pages are sent over plain HTTP.',
} as const satisfies Record<string, string>;
export type ProblemCode = keyof typeof PROBLEMS;

export type Problem = Position & {
  readonly file: string;
  /** Such as `groups.main.matrix[2].for`; empty for the file as a whole. */
  readonly path: string;
  /** What stands there, made fit to be shown. */
  readonly value: string;
  readonly message: string;
  readonly remedy: string;
  readonly code: ProblemCode;
};

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;
/** A path as people read it. */
export function pathText(path: KeyPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!PLAIN_KEY.test(part)) text += `["${escaped(part.slice(0, 80))}"]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** One line: `file:line:column  path: message (value) — remedy`. */
export const problemText = (p: Problem): string =>
  `${p.file}:${p.line}:${p.column}  ${p.path === '' ? '' : `${p.path}: `}${p.message} (${p.value}) — ${p.remedy}`;

/** In the order of the file; what stands at one place keeps its order. */
export const inOrder = (problems: readonly Problem[]): Problem[] =>
  [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
