// One side of the probes bench: failoverd's runner alone. `node probe-runner.ts HTTP_PORT TCP_PORT COUNT`, told what to do
// by messages: 'start', and 'stop', which it answers with how many probes were answered, and how many of them well.
import { createRunner, type Runner } from '../src/probes/runner.ts';
import type { Target } from '../src/probes/target.ts';
import { chance } from '../src/runtime/chance.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { redacting } from '../src/runtime/redact.ts';
import { systemTimers } from '../src/runtime/timers.ts';

const [httpPort, tcpPort, count = 0] = process.argv.slice(2).map(Number);
const schedule = { intervalMs: 1_000, timeoutMs: 2_000 };
const targets = Array.from({ length: count }, (_, index): Target => {
  const key = `target-${index}`;
  return index % 2 === 0
    ? {
        kind: 'http',
        key,
        group: 'main',
        component: key,
        region: 'a',
        url: `http://127.0.0.1:${httpPort}/${index}`,
        expectStatus: [200],
        ...schedule,
      }
    : {
        kind: 'tcp',
        key,
        group: 'main',
        component: key,
        region: 'a',
        host: '127.0.0.1',
        port: tcpPort ?? 0,
        tls: 'disable',
        ...schedule,
      };
});
let answered = { all: 0, ok: 0 };
let runner: Runner | null = null;
process.on('message', async (message) => {
  if (message === 'start') {
    answered = { all: 0, ok: 0 };
    runner = createRunner({
      vantage: 'daemon',
      targets,
      clock: systemClock,
      timers: systemTimers,
      random: chance,
      redact: redacting([]),
      emit: (observations) => {
        for (const { verdict } of observations) {
          answered.all += 1;
          if (verdict === 'ok') answered.ok += 1;
        }
      },
      mayWrite: () => false,
    });
    runner.start();
    return;
  }
  process.send?.(answered);
  await runner?.stop();
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
