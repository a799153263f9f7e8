import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { until } from '../../lab/servers/wait.ts';
import { createWitness } from '../../src/daemon/witness.ts';
import type { Config } from '../../src/model/config.ts';
import { generateKeys, readPrivateKey } from '../../src/probes/report.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { desk } from '../probes/desk.ts';

const HOST = '127.0.93.1';
const own = generateKeys();

const configOf = (url: string): Config => ({
  version: 1,
  daemon: { stateDir: 'state' },
  regions: { east: { role: 'primary' }, west: { role: 'secondary' }, far: { role: 'witness' } },
  vantages: {
    daemon: { region: 'west', controlTargets: [url] },
    north: { region: 'far', controlTargets: [url], publicKey: own.publicKey },
  },
  groups: {
    shop: {
      autonomy: 'auto',
      primary: 'east',
      secondary: 'west',
      components: {
        api: { kind: 'http', tier: 1, instances: { east: url, west: `${url}/west` }, probe: { interval: '100ms' } },
      },
    },
  },
});

t.test('a witness tells the daemon what it sees, and its log tells when the daemon is away', async (t) => {
  const service = createServer((_request, response) => response.end('fine'));
  service.listen(0, HOST);
  await once(service, 'listening');
  t.teardown(() => {
    service.closeAllConnections();
    service.close();
  });
  const at = await desk(t, HOST, own.publicKey);
  const lines: string[] = [];
  const witness = createWitness({
    config: configOf(`http://${HOST}:${(service.address() as AddressInfo).port}`),
    vantage: 'north',
    privateKey: readPrivateKey(own.privateKeyPem),
    daemonUrl: at.url,
    secrets: {
      of: () => {
        throw new RangeError('none');
      },
      all: () => [],
      file: () => {
        throw new RangeError('none');
      },
      renew: async () => ({ renewed: [], problems: [] }),
      onRenewed: () => undefined,
    },
    clock: systemClock,
    timers: systemTimers,
    random: () => 0.5,
    log: createLog({ level: 'info', destination: { write: (line) => lines.push(line) } }),
  });
  t.teardown(() => witness.stop());
  const wait = async (what: string, holds: () => boolean): Promise<void> =>
    void (await until({ what, timeoutMs: 10_000 }, async () => holds() || undefined));
  const logged = (text: string): number => lines.filter((line) => line.includes(text)).length;

  witness.start();
  await wait('a few reports', () => at.taken.length >= 3);
  const seen = at.taken.flatMap((report) => report.observations);
  t.ok(seen.every((each) => each.vantage === 'north' && each.verdict === 'ok'));
  t.ok(seen.some((each) => each.kind === 'http' && each.region === 'east'));
  t.ok(seen.some((each) => each.kind === 'http' && each.region === 'west'));
  t.ok(seen.some((each) => each.kind === 'control'));

  let refused = 0;
  at.trouble = (response) => {
    refused += 1;
    response.writeHead(503).end();
  };
  await wait('the log to say so', () => logged('refuses our reports') === 1);
  const before = at.taken.length;
  // Each refused round begins half a second after the one before: what was seen at first has grown old by then.
  await wait('old observations to go', () => refused >= 8);
  at.trouble = null;
  await wait('reports again', () => at.taken.length >= before + 3);
  t.equal(logged('refuses our reports'), 1, 'one line for the whole outage');
  t.equal(logged('takes our reports'), 2);
  t.same(
    at.taken.filter((report) => report.observations.some((each) => report.sentAt - each.at > 3_000)),
    [],
    'nothing old was delivered',
  );
});
