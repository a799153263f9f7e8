// A child of the archive's test: archives once, and prints the folder.
import { archiveDivergent } from '../../../src/guard/wal/archive.ts';
import { endOfWal } from '../../../src/guard/wal/end-of-wal.ts';
import { stoppedOf } from './real.ts';

const { dataDir, programs, fork, target } = JSON.parse(process.argv[2] ?? '{}');
const { signal } = new AbortController();
const end = await endOfWal(dataDir, programs, signal);
const { folder } = await archiveDivergent(
  { dataDir, programs, fork, end, target, stopped: stoppedOf(dataDir) },
  signal,
);
console.log(folder);
