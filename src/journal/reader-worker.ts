/** The thread that reads a journal beside the daemon that writes it. Started by `reader.ts`; answers once and ends. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { EventBody } from '../model/events.ts';
import type { KeptEvents } from '../model/explanation.ts';
import type { ReadAnswer, ReadRequest } from './reader.ts';
import { storeError } from './sqlite-error.ts';

const BUSY_TIMEOUT_MS = 5000;
const OF_GROUP = `
  select body from entries
  where json_extract(body, '$.group') = ? or json_extract(body, '$.kind') = 'daemon.started'
  order by seq`;
const ENDS = `
  select min(json_extract(body, '$.at')) as first, max(case when ?1 is null or json_extract(body, '$.at') <= ?1
    then json_extract(body, '$.at') end) as last
  from entries`;

export function readJournal({ folder, group, until }: ReadRequest): KeptEvents {
  const database = new DatabaseSync(join(folder, 'journal.db'), { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    const events: EventBody[] = [];
    for (const { body } of database.prepare(OF_GROUP).iterate(group)) {
      const event = JSON.parse(String(body)) as EventBody;
      const before = events.at(-1);
      const repeats =
        event.kind === 'hold.advanced' &&
        before?.kind === 'hold.advanced' &&
        before.row === event.row &&
        before.component === event.component &&
        // What was written by the instant that is asked about is not to be replaced by what came later.
        (until === null || event.at <= until || before.at > until);
      if (repeats) events.pop();
      events.push(event);
    }
    const ends = database.prepare(ENDS).get(until) as { first: number | null; last: number | null } | undefined;
    return { events, firstAt: ends?.first ?? null, lastAt: ends?.last ?? null };
  } finally {
    database.close();
  }
}

if (parentPort !== null) {
  let answer: ReadAnswer;
  try {
    answer = { kind: 'read', kept: readJournal(workerData as ReadRequest) };
  } catch (error) {
    const { code, message } = storeError(error, 'the journal could not be read');
    answer = { kind: 'failed', code, message };
  }
  parentPort.postMessage(answer);
}
