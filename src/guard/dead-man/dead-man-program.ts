/** A process apart (safety.md, "absolute"): little is in it, so that little can go wrong. Its settings are its only argument. */
import { createBootClock } from '../../runtime/boot-clock.ts';
import { processEnvironment } from '../../runtime/environment.ts';
import { systemTimers } from '../../runtime/timers.ts';
import { SocketTaken, startWatch, type WatchSettings } from './watch.ts';

const environment = processEnvironment();
const settings: WatchSettings = JSON.parse(environment.argv[0] ?? '{}');
const clock = createBootClock();
// A terminal that is closed, or a person's Ctrl-C, is meant for the guard.
for (const signal of ['SIGHUP', 'SIGINT'] as const) process.on(signal, () => undefined);
if (clock === null) {
  environment.complain('/proc/uptime can’t be read: without a clock that counts sleep there is no deadline\n');
  environment.exit(2);
} else {
  startWatch(settings, {
    clock,
    timers: systemTimers,
    pid: environment.pid,
    say: (line) => environment.complain(`${line}\n`),
    ended: () => environment.exit(0),
  }).catch((error: unknown) => {
    environment.complain(`${error instanceof Error ? error.message : String(error)}\n`);
    environment.exit(error instanceof SocketTaken ? 3 : 1);
  });
}
