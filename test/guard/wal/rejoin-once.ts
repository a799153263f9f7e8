// A child of the rejoin's test: goes on with a rejoin as far as it gets, and prints what it came to.
import { baseBackup } from '../../../src/guard/wal/clone.ts';
import { WalError } from '../../../src/guard/wal/errors.ts';
import { rejoin } from '../../../src/guard/wal/rejoin.ts';
import { askOf, type RejoinWords, stoppedOf } from './real.ts';

const words: RejoinWords = JSON.parse(process.argv[2] ?? '{}');
const { signal } = new AbortController();
try {
  const { archive, method } = await rejoin(
    {
      ...words,
      stopped: stoppedOf(words.dataDir),
      newPrimary: {
        ask: askOf(words.socketDir, words.port),
        rewindFrom: words.rewind ? { conninfo: words.conninfo, env: {}, configFile: null } : null,
        clone: baseBackup(words.programs, words.replication, {}),
        upstream: { conninfo: words.replication, slot: 'home' },
      },
    },
    signal,
  );
  console.log(JSON.stringify({ folder: archive.folder, method }));
} catch (error) {
  console.log(JSON.stringify({ code: error instanceof WalError ? error.code : String(error), why: String(error) }));
}
