import t from 'tap';
import type { Config } from '../../src/model/config.ts';
import { metricTargetsOf } from '../../src/probes/metric-targets.ts';
import { monitorTargetsOf } from '../../src/probes/monitor-targets.ts';
import { addressOf, addressText } from '../../src/probes/target.ts';
import { isProbeSecret, targetsOf } from '../../src/probes/targets.ts';
import type { Secrets } from '../../src/runtime/config/secrets.ts';
import { SecretValue } from '../../src/runtime/secret.ts';
import { NO_CERTIFICATES } from '../../src/runtime/tls.ts';

const secrets: Pick<Secrets, 'of'> = { of: (reference) => new SecretValue(`value of ${reference}`) };

const config = (autonomy: 'observe' | 'gated' | 'auto' = 'auto'): Config => ({
  version: 1,
  daemon: { stateDir: 'state' },
  regions: { east: { role: 'primary' }, west: { role: 'secondary' }, north: { role: 'witness' } },
  vantages: {
    daemon: { region: 'west', controlTargets: ['tcp://192.0.2.1:53', 'https://control.test/'] },
    north: { region: 'north', controlTargets: ['tcp://192.0.2.9:53'] },
  },
  groups: {
    shop: {
      autonomy,
      primary: 'east',
      secondary: 'west',
      components: {
        db: {
          kind: 'postgres',
          tier: 1,
          database: 'app',
          user: 'failoverd',
          password: '${env:PG}',
          systemIdentifier: '7000000000000000001',
          instances: { east: 'db.east.test:5432', west: '[2001:db8::2]:6432' },
          probe: { interval: '500ms', timeout: '3s' },
        },
        api: {
          kind: 'http',
          tier: 1,
          instances: { east: 'https://api.east.test/health', west: 'https://api.west.test/health' },
          expectStatus: [200, 204],
          public: { url: 'https://api.shop.test/' },
        },
        name: {
          kind: 'dns',
          tier: 1,
          provider: 'route53',
          zoneId: 'Z1',
          name: 'api.shop.test',
          records: { east: ['192.0.2.10'], west: ['192.0.2.20'] },
          epochName: '_epoch.shop.test',
          resolvers: ['192.0.2.53:53', '198.51.100.53:53'],
        },
        clicks: { kind: 'clickhouse', tier: 2 },
      },
    },
  },
});

t.test(
  'every instance in both regions is a target, each resolver is one, and the vantage’s own control targets',
  (t) => {
    const keys = targetsOf(config(), secrets, 'daemon', { canary: true }).map((target) => target.key);
    t.same(keys, [
      'control/tcp://192.0.2.1:53',
      'control/https://control.test/',
      'shop/db/east',
      'shop/db/west',
      'shop/api/east',
      'shop/api/west',
      'shop/name/west@192.0.2.53:53',
      'shop/name/west@198.51.100.53:53',
    ]);
    t.equal(new Set(keys).size, keys.length);
    t.end();
  },
);

t.test('what the config says, and the defaults of its schema where it says nothing', (t) => {
  const targets = targetsOf(config(), secrets, 'daemon', { canary: true });
  const by = (key: string) => targets.find((target) => target.key === key);
  const east = by('shop/db/east');
  t.match(east, { host: 'db.east.test', port: 5432, region: 'east', intervalMs: 500, timeoutMs: 3_000 });
  t.match(east, { tls: 'verify-full', canarySchema: 'failoverd', systemIdentifier: '7000000000000000001' });
  t.equal(east?.kind === 'postgres' ? east.password?.reveal() : '', 'value of ${env:PG}');
  t.notMatch(JSON.stringify(targets), /value of/, 'a list of targets shows no password');
  t.match(by('shop/db/west'), { host: '2001:db8::2', port: 6432 });
  t.match(by('shop/api/west'), { url: 'https://api.west.test/health', expectStatus: [200, 204], intervalMs: 1_000 });
  t.match(by('shop/name/west@192.0.2.53:53'), { name: 'api.shop.test', type: 'A', region: 'west', timeoutMs: 2_000 });
  t.end();
});

t.test('a witness has its own control targets, asks for names from where it stands, and writes nothing', (t) => {
  const targets = targetsOf(config(), secrets, 'north', { canary: false });
  t.same(
    targets.filter((target) => target.kind === 'control').map((target) => target.target),
    ['tcp://192.0.2.9:53'],
  );
  t.ok(targets.some((target) => target.kind === 'dns' && target.region === 'north'));
  t.ok(targets.every((target) => target.kind !== 'postgres' || !target.canary));
  t.end();
});

t.test('a group that only observes gets no canary', (t) => {
  const canaries = (autonomy: 'observe' | 'gated' | 'auto'): boolean[] =>
    targetsOf(config(autonomy), secrets, 'daemon', { canary: true }).flatMap((target) =>
      target.kind === 'postgres' ? [target.canary] : [],
    );
  t.same(canaries('observe'), [false, false]);
  t.same(canaries('gated'), [true, true]);
  t.same(canaries('auto'), [true, true]);
  t.end();
});

t.test('a vantage that isn’t declared has no targets', (t) => {
  t.throws(() => targetsOf(config(), secrets, 'south', { canary: false }), RangeError);
  t.end();
});

t.test('the secrets of a witness are the passwords and certificates of what it probes, and no others', (t) => {
  for (const key of ['password', 'ca', 'cert', 'key'])
    t.equal(isProbeSecret(['groups', 'shop', 'components', 'db', key]), true, key);
  for (const path of [
    ['people', 'ann', 'token'],
    ['pager', 'secret'],
    ['pager', 'tls', 'key'],
    ['daemon', 'tls', 'key'],
    ['alertmanager', 'bearer'],
    ['groups', 'shop', 'components', 'name', 'secretAccessKey'],
    ['groups', 'shop', 'components', 'db', 'guards', 'north', 'token'],
    ['groups', 'shop', 'components', 'db', 'guards', 'north', 'tls', 'key'],
    ['groups', 'shop', 'components', 'db', 'patroni', 'north', 'password'],
  ]) {
    t.equal(isProbeSecret(path), false, path.join('.'));
  }
  t.end();
});

t.test('addresses', (t) => {
  for (const text of ['db.test:5432', '192.0.2.1:53', '[2001:db8::1]:53']) t.equal(addressText(addressOf(text)), text);
  for (const text of ['db.test', 'db.test:0', 'db.test:70000', ':5', '2001:db8::1:53', '']) {
    t.throws(() => addressOf(text), RangeError, text);
  }
  t.end();
});

const watched = (): Config => {
  const base = config();
  const shop = base.groups['shop'];
  if (shop === undefined) throw new Error('no group');
  return {
    ...base,
    prometheus: {
      main: {
        url: 'https://prometheus.test/p/',
        replicas: ['https://prometheus-2.test/'],
        region: 'north',
        bearer: '${env:PROMETHEUS}',
        timeout: '3s',
      },
    },
    alertmanager: {
      region: 'north',
      bearer: '${env:WEBHOOK}',
      apis: ['https://am-1.test/', 'https://am-2.test/'],
      apiBasic: { user: 'failoverd', password: '${env:AM}' },
    },
    groups: {
      shop: {
        ...shop,
        components: {
          ...shop.components,
          cache: {
            kind: 'tcp',
            tier: 2,
            instances: { east: 'cache.east.test:6379', west: '[::1]:6379' },
            tls: 'require',
          },
        },
        facts: {
          errors: { promql: 'sum(rate(errors[5m])) / sum(rate(all[5m]))', type: 'verdict', bad: '> 0.1', every: '20s' },
        },
      },
    },
  };
};

t.test('a port is a target in both regions', (t) => {
  const tcp = targetsOf(watched(), secrets, 'north', { canary: false }).filter((target) => target.kind === 'tcp');
  t.match(tcp, [
    { key: 'shop/cache/east', host: 'cache.east.test', port: 6379, tls: 'require' },
    { key: 'shop/cache/west', host: '::1', port: 6379 },
  ]);
  t.end();
});

t.test('each fact is asked of its server and of each replica, with the age of what it looks at', (t) => {
  const targets = metricTargetsOf(watched(), secrets, NO_CERTIFICATES);
  t.match(targets, [
    {
      ...{
        kind: 'metric',
        key: 'shop/metrics.errors/main/0',
        group: 'shop',
        fact: 'errors',
        replica: 0,
        region: 'north',
      },
      ...{ url: new URL('https://prometheus.test/p/'), intervalMs: 20_000, timeoutMs: 3_000, freshMs: 60_000 },
      ...{ bad: { comparator: '>', limit: 0.1 }, oldestSample: /timestamp\(errors\).*timestamp\(all\)/ },
    },
    { key: 'shop/metrics.errors/main/1', url: new URL('https://prometheus-2.test/'), replica: 1 },
  ]);
  t.equal(targets[0]?.authorization(), 'Bearer value of ${env:PROMETHEUS}');
  t.notMatch(JSON.stringify(targets), /value of/, 'a list of targets shows no secret');
  t.same(metricTargetsOf(config(), secrets, NO_CERTIFICATES), []);
  t.end();
});

t.test('servers that watch for us are watched', (t) => {
  const targets = monitorTargetsOf(watched(), secrets, NO_CERTIFICATES);
  t.same(
    targets.map(({ key, url }) => [key, url.href]),
    [
      ['prometheus/main/0', 'https://prometheus.test/p/'],
      ['prometheus/main/1', 'https://prometheus-2.test/'],
      ['alertmanager/alertmanager/0', 'https://am-1.test/'],
      ['alertmanager/alertmanager/1', 'https://am-2.test/'],
    ],
  );
  t.match(targets[3]?.authorization(), /^Basic /);
  t.notMatch(JSON.stringify(targets), /value of|Basic/);
  t.same(monitorTargetsOf(config(), secrets, NO_CERTIFICATES), []);
  t.end();
});

t.test('a witness needs no secret of theirs', (t) => {
  t.notOk(isProbeSecret(['prometheus', 'main', 'bearer']));
  t.notOk(isProbeSecret(['prometheus', 'main', 'basic', 'password']));
  t.notOk(isProbeSecret(['alertmanager', 'apiBasic', 'password']));
  t.end();
});
