/** The thread that owns the journal's file: takes requests in order and answers each once. Started by `sqlite.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import type { JournalEntry } from '../model/events.ts';
import { storeError } from './sqlite-error.ts';
import { type JournalFile, openJournalFile } from './sqlite-file.ts';
import { type Answer, OPENED, type Request, type Start } from './sqlite-protocol.ts';

function serve(port: NonNullable<typeof parentPort>, { folder }: Start): void {
  const answer = (id: number, act: () => readonly JournalEntry[]): boolean => {
    let told: Answer;
    try {
      told = { id, kind: 'done', entries: act() };
    } catch (error) {
      const { code, message } = storeError(error, 'the journal failed');
      told = { id, kind: 'failed', code, message };
    }
    port.postMessage(told);
    return told.kind === 'done';
  };

  let file: JournalFile | null = null;
  const opened = answer(OPENED, () => {
    file = openJournalFile(folder);
    return [];
  });
  if (!opened || file === null) {
    port.close();
    return;
  }
  const journal: JournalFile = file;

  const handle = (request: Request): readonly JournalEntry[] => {
    switch (request.kind) {
      case 'load':
        return journal.load();
      case 'append':
        journal.append(request.rows);
        return [];
      case 'close':
        journal.close();
        return [];
      default:
        return request satisfies never;
    }
  };
  port.on('message', (request: Request) => {
    answer(request.id, () => handle(request));
    if (request.kind === 'close') port.close();
  });
}

if (parentPort !== null) serve(parentPort, workerData);
