// PromQL as the configuration takes it: what parses, what can't be one value, and which samples it looks at.
import t from 'tap';
import { badWhen, metricVerdict } from '../../src/model/prometheus.ts';
import { oldestSample, readPromql } from '../../src/model/promql.ts';

t.test('the samples that an expression looks at now are known', async (t) => {
  for (const [text, selectors] of [
    ['up', ['up']],
    ['1', []],
    ['time()', []],
    ['time() - max(backup_finished_at{region="a"})', ['backup_finished_at{region="a"}']],
    ['sum(rate(errors_total[5m])) / sum(rate(requests_total[5m]))', ['errors_total', 'requests_total']],
    ['x / (x + y)', ['x', 'y']],
    ['sum by (a) ({__name__=~"x}(.*"}) # x{', ['{__name__=~"x}(.*"}']],
    ['max_over_time(rate(x[5m])[30m:1m])', ['x']],
    ['absent(up{job="a"})', ['up{job="a"}']],
    // Whoever asks for another time means it.
    ['x offset 1h', []],
    ['rate(x[5m] offset 1h)', []],
    ['(x @ end()) - y', ['y']],
    ['max_over_time((x offset 1h)[5m:1m]) + y', ['y']],
  ] as const)
    t.same(readPromql(text), { kind: 'read', selectors }, text);
});

t.test('what is no PromQL, or gives no one value, is refused with its place', async (t) => {
  for (const [text, says] of [
    ['', /it ends too early/],
    ['# nothing', /no PromQL/],
    ['sum(x', /it ends too early/],
    ['sum(x))', /from here on: \)/],
    ['x y', /from here on: y/],
    ['rate(x[$__interval])', /from here on: \$__interval/],
    ['x[5m]', /gives a range/],
    ['((x[5m] offset 1h))', /gives a range/],
    ['rate(x[5m])[30m:1m]', /gives a range/],
    ['"up"', /gives a text/],
  ] as const) {
    const read = readPromql(text);
    t.equal(read.kind, 'refused', text);
    if (read.kind === 'refused') t.match(read.message, says);
  }
  t.equal(readPromql(`${'('.repeat(1000)}x${')'.repeat(1000)}`).kind, 'read', 'and deep ones end');
});

t.test('the time of the oldest of them is one question', async (t) => {
  t.equal(oldestSample([]), null);
  t.equal(oldestSample(['x{a="b"}']), 'min(timestamp(x{a="b"}))');
  const both = oldestSample(['x', 'y']) ?? '';
  t.equal(
    both,
    'min(label_replace(min(timestamp(x)), "selector", "0", "", "") or label_replace(min(timestamp(y)), "selector", "1", "", ""))',
  );
  t.equal(readPromql(both).kind, 'read');
});

t.test('which numbers are bad is said by a comparison', async (t) => {
  for (const [text, bad, ok] of [
    ['> 0.05', 0.06, 0.05],
    ['>=3', 3, 2.9],
    ['< -1', -2, -1],
    ['<= 0', 0, 1],
    ['== 0', 0, 1],
    ['!= 1', 0, 1],
  ] as const) {
    t.equal(metricVerdict(badWhen(text), bad), 'bad', `${bad} ${text}`);
    t.equal(metricVerdict(badWhen(text), ok), 'ok', `${ok}, not ${text}`);
  }
  t.equal(metricVerdict(null, 5), 'ok', 'a number is no verdict');
  for (const text of ['', '0', '= 0', '> x', '>> 1', '> 1e3', '=> 1']) t.throws(() => badWhen(text), RangeError);
});
