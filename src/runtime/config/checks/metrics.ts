/**
 * Prometheus and the facts that are asked of it: servers that can be told apart, and facts that can be known (design §4).
 */
import { compileExpression } from '../../../model/expression.ts';
import { durationMs, durationText } from '../../../model/primitives.ts';
import { type MetricFactConfig, type PrometheusConfig, serverOf } from '../../../model/prometheus.ts';
import { readPromql } from '../../../model/promql.ts';
import { addressOfUrl, isLoopback } from '../address.ts';
import type { KeyPath } from '../problem.ts';
import { choose } from '../words.ts';
import { type Check, eachGroup, type GroupSubject, type Subject } from './context.ts';
import { isRegion } from './regions.ts';

export const checkPrometheus: Check = (subject) => {
  const known = new Map<string, KeyPath>();
  for (const [name, server] of Object.entries(subject.config.prometheus ?? {})) {
    const path = ['prometheus', name];
    checkPlace(subject, server, [...path, 'region']);
    checkCredentials(subject, server, path);
    const urls: readonly (readonly [KeyPath, string])[] = [
      [[...path, 'url'], server.url],
      ...(server.replicas ?? []).map((url, index): [KeyPath, string] => [[...path, 'replicas', index], url]),
    ];
    for (const [at, url] of urls) checkAddress(subject, server, url, at, known);
    for (const key of ['timeout', 'scrapeInterval'] as const)
      if (server[key] !== undefined && durationMs(server[key]) === 0)
        subject.error({
          code: 'fact-every-zero',
          path: [...path, key],
          message: 'this takes some time',
          remedy: 'write a span, such as 5s',
        });
  }
};

function checkPlace(subject: Subject, { region }: PrometheusConfig, path: KeyPath): void {
  if (!isRegion(subject, region, path)) return;
  const reported = Object.entries(subject.config.groups).find(
    ([, group]) => group.primary === region && group.facts !== undefined,
  );
  if (reported !== undefined)
    subject.warn({
      code: 'prometheus-in-primary',
      path,
      message: `it stands in the primary region of ${reported[0]}, so with the loss of that region its facts are unknown`,
      remedy: 'ask one in another region, or read it in rows that may be unknown then',
    });
}

function checkCredentials({ error }: Subject, { bearer, basic }: PrometheusConfig, path: KeyPath): void {
  if (bearer !== undefined && basic !== undefined)
    error({
      code: 'api-credentials',
      path: [...path, 'basic'],
      on: 'key',
      value: 'basic beside bearer',
      message: 'a request carries one Authorization header, so it can’t hold both',
      remedy: 'leave out bearer or basic',
    });
  // RFC 7617: the first colon ends the name. What can't be sent in it are control characters.
  if (/[:\p{Cc}]/u.test(basic?.user ?? ''))
    error({
      code: 'basic-user',
      path: [...path, 'basic', 'user'],
      message: 'a user name can hold neither a colon nor control characters',
      remedy: 'choose another name, on both sides',
    });
}

function checkAddress(
  { error, warn }: Subject,
  { bearer, basic }: PrometheusConfig,
  text: string,
  path: KeyPath,
  known: Map<string, KeyPath>,
): void {
  if (!URL.canParse(text)) return;
  const url = new URL(text);
  if (url.search !== '' || url.hash !== '')
    error({
      code: 'api-url',
      path,
      message: 'the paths of the API are put behind this address, so it can’t end in a query or a fragment',
      remedy: 'end it before the ? or #',
    });
  const plain = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  const other = known.get(plain);
  if (other !== undefined)
    error({
      code: 'server-twice',
      path,
      message: `${other.join('.')} is the same server, so the two can’t contradict each other`,
      remedy: 'name each once, by an address of its own and not by one that is shared',
    });
  known.set(plain, path);
  if (url.protocol !== 'http:' || (bearer === undefined && basic === undefined)) return;
  if (isLoopback(addressOfUrl(text)?.host ?? '')) return;
  warn({
    code: 'api-plain-http',
    path,
    message: 'credentials are sent to it unencrypted: who listens in can use them',
    remedy: 'use https',
  });
}

export const checkFacts: Check = eachGroup((subject) => {
  for (const [name, fact] of Object.entries(subject.group.facts ?? {})) {
    const path = [...subject.path, 'facts', name];
    checkName(subject, name, path);
    checkServer(subject, fact, path);
    checkVerdict(subject, fact, path);
    checkPromql(subject, fact, path);
    if (fact.region !== undefined) isRegion(subject, fact.region, [...path, 'region']);
    checkTimes(subject, name, fact, path);
  }
});

/** A word that the language of rows keeps for itself can't stand behind a dot. */
function checkName({ error, filled }: GroupSubject, name: string, path: KeyPath): void {
  const metric = filled.metrics.find(({ id }) => id === name);
  if (metric === undefined) return;
  const compiled = compileExpression(
    metric.type === 'verdict' ? `bad(metrics.${name})` : `metrics.${name} > 0`,
    filled.metrics,
  );
  if (compiled.kind === 'expression') return;
  error({
    code: 'bad-name',
    path,
    on: 'key',
    value: name,
    message: 'this word means something else in expressions, so no row could read the fact',
    remedy: `choose another name, such as ${name}_now`,
  });
}

function checkServer({ config, error }: GroupSubject, fact: MetricFactConfig, path: KeyPath): void {
  const servers = config.prometheus ?? {};
  if (serverOf(fact, servers) !== null) return;
  const names = Object.keys(servers);
  if (names.length === 0)
    error({
      code: 'prometheus-missing',
      path,
      on: 'key',
      value: 'missing',
      message: 'no Prometheus is named that this could be asked of',
      remedy: 'add prometheus: at the top of the file, with a server by name: its url and region',
    });
  else if (fact.server === undefined)
    error({
      code: 'missing-key',
      path: [...path, 'server'],
      value: 'missing',
      message: 'several servers are named, so which one is asked must be said',
      remedy: `add server: ${choose('', names).replace(/^write /, '')}`,
    });
  else
    error({
      code: 'unknown-server',
      path: [...path, 'server'],
      message: 'no such Prometheus is declared',
      remedy: choose(fact.server, names),
    });
}

function checkVerdict({ error }: GroupSubject, { type, bad }: MetricFactConfig, path: KeyPath): void {
  if (type === 'verdict' && bad === undefined)
    error({
      code: 'fact-verdict',
      path: [...path, 'bad'],
      value: 'missing',
      message: 'a verdict must say which values are bad',
      remedy: 'add bad: with a comparison, such as bad: "> 0", or bad: "== 0" where 1 means well',
    });
  if (type !== 'verdict' && bad !== undefined)
    error({
      code: 'fact-verdict',
      path: [...path, 'bad'],
      message: 'a number is neither well nor bad; the row that reads it says from where on it matters',
      remedy: 'write type: verdict, or leave bad out',
    });
}

/** By Prometheus' own grammar; what it means, a server alone can tell. */
function checkPromql({ error }: GroupSubject, { promql }: MetricFactConfig, path: KeyPath): void {
  const read = readPromql(promql);
  if (read.kind === 'read') return;
  error({
    code: 'fact-promql',
    path: [...path, 'promql'],
    message: read.message,
    remedy: 'try it on the page of Prometheus, and copy it from there',
  });
}

const LEAST_EVERY_MS = 1000;

function checkTimes(subject: GroupSubject, name: string, fact: MetricFactConfig, path: KeyPath): void {
  const metric = subject.filled.metrics.find(({ id }) => id === name);
  if (metric === undefined) return;
  if (metric.everyMs < LEAST_EVERY_MS) {
    subject.error({
      code: 'fact-every-zero',
      path: [...path, 'every'],
      message: `it would be asked more often than every ${durationText(LEAST_EVERY_MS)}`,
      remedy: `write ${durationText(LEAST_EVERY_MS)} or more: a value is no newer than its last scrape`,
    });
    return;
  }
  const scrapeMs = durationMs(subject.config.prometheus?.[metric.server]?.scrapeInterval ?? '30s');
  const leastMs = Math.max(metric.everyMs, fact.fresh === undefined ? 0 : scrapeMs);
  if (metric.freshMs >= leastMs) return;
  subject.error({
    code: 'fact-fresh-short',
    path: [...path, 'fresh'],
    message: `a sample comes every ${durationText(leastMs)}, so the fact would be unknown between two`,
    remedy: `write ${durationText(2 * leastMs)}, or leave it out`,
  });
}
