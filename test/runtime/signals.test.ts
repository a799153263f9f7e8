import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { createLog } from '../../src/runtime/log.ts';
import { onStopSignals } from '../../src/runtime/signals.ts';

t.test('the first signal asks to stop, the second ends at once', async (t) => {
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    const from = new EventEmitter();
    const heard: unknown[] = [];
    onStopSignals({
      log: createLog({ level: 'silent' }),
      process: from,
      stop: (which) => heard.push(['stop', which]),
      exit: (which) => heard.push(['exit', which]),
    });
    from.emit('SIGTERM');
    t.same(heard, [['stop', 'SIGTERM']]);
    from.emit(signal);
    t.same(heard, [
      ['stop', 'SIGTERM'],
      ['exit', code],
    ]);
  }
});

t.test('signals are left alone again when asked', async (t) => {
  const from = new EventEmitter();
  const remove = onStopSignals({
    log: createLog({ level: 'silent' }),
    process: from,
    stop: () => t.fail('heard'),
    exit: () => t.fail('heard'),
  });
  remove();
  t.same(from.eventNames(), []);
});

const src = (name: string): string => pathToFileURL(join(import.meta.dirname, '../../src/runtime', name)).href;
const LIMIT_MS = 30_000;

/** A process made of our parts, with its output so far. */
function start(text: string): { child: ChildProcess; output: () => string; says: (text: string) => Promise<void> } {
  const head = `
    import { createLog } from '${src('log.ts')}';
    import { createLifecycle } from '${src('lifecycle.ts')}';
    import { systemTimers } from '${src('timers.ts')}';
    import { onFault, onStopSignals } from '${src('signals.ts')}';
    import { processEnvironment } from '${src('environment.ts')}';
    const { exit, print } = processEnvironment();
    const log = createLog({ level: 'info' });
    const lifecycle = createLifecycle({ log, timers: systemTimers });
    onFault({ log, exit });
    onStopSignals({ log, exit, stop: async (signal) => {
      await lifecycle.stop(signal);
      await log.flush(1000);
      exit(0);
    } });
    const running = setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${head}\n${text}`], { timeout: LIMIT_MS });
  let output = '';
  const heard = new EventEmitter();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      heard.emit('data');
    });
  }
  const says = async (what: string): Promise<void> => {
    while (!output.includes(what)) await once(heard, 'data', { signal: AbortSignal.timeout(LIMIT_MS) });
  };
  return { child, output: () => output, says };
}

t.test('a process that is asked to stop ends its parts and then itself', async (t) => {
  const { child, output, says } = start(`
    lifecycle.onStop('journal', 1000, () => print('journal ended '));
    lifecycle.onStop('http', 1000, () => print('http ended '));
    print('ready');`);
  await says('ready');
  child.kill('SIGTERM');
  const [code] = await once(child, 'close');
  t.equal(code, 0);
  t.match(output(), /http ended .*journal ended /s);
  t.match(output(), /"msg":"stopped"/);
});

t.test('a process with a part that hangs still ends, and at once on a second signal', async (t) => {
  const { child, output, says } = start(`
    lifecycle.onStop('http', 60_000, () => new Promise(() => {}));
    print('ready');`);
  await says('ready');
  child.kill('SIGINT');
  await says('"msg":"stopping"');
  t.equal(child.exitCode, null);
  child.kill('SIGINT');
  const [code] = await once(child, 'close');
  t.equal(code, 130);
  t.match(output(), /a second signal/);
});

for (const [what, text] of [
  ['thrown', `setTimeout(() => { throw new Error('lost my mind over swordfish'); }, 1);`],
  ['rejected', `Promise.reject(new Error('lost my mind over swordfish'));`],
  ['rejected with no error', `Promise.reject('lost my mind over swordfish');`],
] as const) {
  t.test(
    `an error nobody caught (${what}) ends the process before it does anything else, and tells no secret`,
    async (t) => {
      const { child, output } = start(`
      log.protect('swordfish');
      log.info({}, 'before');
      ${text}
      setTimeout(() => print('went on'), 50);`);
      const [code] = await once(child, 'close');
      t.equal(code, 1);
      t.match(output(), /"level":"fatal".*lost my mind over \[redacted\]/);
      t.match(output(), /"msg":"before"/);
      t.notMatch(output(), 'swordfish');
      t.notMatch(output(), 'went on');
      t.ok(
        output()
          .trim()
          .split('\n')
          .every((line) => JSON.parse(line).level !== undefined),
        'nothing but lines of the log',
      );
    },
  );
}
