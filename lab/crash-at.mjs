// Preloaded into the daemon by the scenario daemon-crash (`node --import`): the process is killed as soon as the N-th
// journal entry of a failover is committed. It counts in the journal's thread, which is made with an environment and words
// of its own and so does not get this preload yet: until it does, the scenario fails, saying that nothing was killed.
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isMainThread } from 'node:worker_threads';

const { FAILOVERD_LAB_CRASH_AFTER: after, FAILOVERD_LAB_CRASH_FILE: file } = process.env;
const INSERT = 'insert into entries';

if (!isMainThread && after !== undefined && file !== undefined) {
  let counted = 0;
  let begun = false;
  let ended = false;
  let last = '';
  const { prepare, exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.prepare = function preparedAndCounted(sql, ...rest) {
    const statement = prepare.call(this, sql, ...rest);
    if (!sql.startsWith(INSERT)) return statement;
    const { run } = statement;
    statement.run = function countedRun(...values) {
      const result = run.apply(statement, values);
      const { kind } = JSON.parse(values.at(-1));
      begun ||= kind === 'hold.started';
      if (begun && !ended) counted += 1;
      ended ||= kind === 'run.ended';
      last = kind;
      return result;
    };
    return statement;
  };
  DatabaseSync.prototype.exec = function executed(sql) {
    exec.call(this, sql);
    if (sql !== 'commit' || counted < Number(after)) return;
    // Several entries may be committed at once: the next crash is after the last of them.
    writeFileSync(file, JSON.stringify({ counted, last, ended }));
    process.kill(process.pid, 'SIGKILL');
  };
}
