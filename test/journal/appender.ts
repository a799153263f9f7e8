// A process of its own that appends to the journal of a folder until it is killed, and says on its standard output what
// was acknowledged. Started by tests as: node appender.ts FOLDER [events per batch at most] [batches at most]
import { writeSync } from 'node:fs';
import { openSqliteJournal } from '../../src/journal/sqlite.ts';
import { StoreError } from '../../src/journal/store.ts';
import { batchOf, behind } from './entries.ts';

const [folder = '', mostEvents = '8', mostBatches = '100000'] = process.argv.slice(2);
/** Written before it returns: what was said before a SIGKILL is said. */
const say = (text: string): void => void writeSync(1, `${text}\n`);

try {
  const store = await openSqliteJournal({ dir: folder });
  let last = (await store.load()).slice(-1);
  say(`open ${last[0]?.seq ?? 0}`);
  for (let batch = 0; batch < Number(mostBatches); batch++) {
    const next = behind(last, batchOf(batch, 1 + Math.floor(Math.random() * Number(mostEvents))));
    await store.append(next);
    last = next.slice(-1);
    say(`ack ${last[0]?.seq}`);
  }
  await store.close();
  say('closed');
} catch (error) {
  say(`failed ${error instanceof StoreError ? error.code : ''} ${String(error)}`);
  process.exit(1);
}
