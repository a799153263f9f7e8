// What `lab scenario` was called with: each bad word is named, with what to write instead.
import t from 'tap';
import { requestOf } from '../../lab/main.ts';
import { SCENARIOS } from '../../lab/scenarios/index.ts';

t.test('one scenario is that one, and no crashes', async (t) => {
  const request = requestOf(['region-blip', '--json']);
  t.strictSame(
    request.scenarios.map(({ name }) => name),
    ['region-blip'],
  );
  t.match(request, { crashes: false, json: true, sabotage: null, after: null });
});

t.test('all is every scenario and the crashes', async (t) => {
  t.equal(requestOf(['all']).scenarios.length, SCENARIOS.length);
  t.equal(requestOf(['all']).crashes, true);
});

t.test('one crash can be asked for by number or by entry', async (t) => {
  t.equal(requestOf(['daemon-crash', '--after', '12']).after, 12);
  t.equal(requestOf(['daemon-crash', '--after', 'step.done fence']).after, 'step.done fence');
});

const REFUSED: readonly (readonly [words: readonly string[], says: RegExp])[] = [
  [[], /no scenario/],
  [['region-blop'], /no scenario region-blop/],
  [['region-blip', 'bad-standby'], /not bad-standby/],
  [['all', '--sabotage', 'no-brakes'], /no sabotage no-brakes .*no-fence/],
  [['all', '--jobs', '0'], /--jobs 0 .*from 1 to/],
  [['all', '--jobs', 'many'], /--jobs many/],
  [['all', '--jason'], /--jason/],
  [['all', '--after', '3'], /--after goes with daemon-crash/],
  [['daemon-crash', '--after', '0'], /--after 0 .*number from 1/],
];
for (const [words, says] of REFUSED) {
  t.test(`refused: ${words.join(' ') || 'nothing'}`, async (t) => {
    t.throws(() => requestOf(words), { code: 'bad-input', message: says });
  });
}
