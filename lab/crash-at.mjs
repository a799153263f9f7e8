// Preloaded into the daemon by the scenario daemon-crash (`node --import`): the process is killed, by SIGKILL and from
// inside, as soon as a certain journal entry of a failover is committed: the N-th, counted from the start of the hold to
// the run's end, or the first of a name (`step.done fence`). At the run's end it is killed in any case, so that a series
// of these knows that it is through.
//
// The journal is written in a worker thread, which production code starts with an environment and words of its own. So
// the main thread's part of this file hands both on to that thread, and the thread's part does the counting.
import { writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { isMainThread } from 'node:worker_threads';

const { FAILOVERD_LAB_CRASH_AFTER: after, FAILOVERD_LAB_CRASH_FILE: file } = process.env;
const INSERT = 'insert into entries';

if (after !== undefined && file !== undefined) {
  if (isMainThread) preloadIntoJournalThread();
  else killAfterCommit(after, file);
}

function preloadIntoJournalThread() {
  const threads = process.getBuiltinModule('node:worker_threads');
  threads.Worker = class extends threads.Worker {
    constructor(program, options = {}) {
      if (options.name !== 'journal') {
        super(program, options);
        return;
      }
      const execArgv = [...(options.execArgv ?? []), '--import', import.meta.url];
      const env = { ...options.env, FAILOVERD_LAB_CRASH_AFTER: after, FAILOVERD_LAB_CRASH_FILE: file };
      super(program, { ...options, execArgv, env });
    }
  };
  // What `import { Worker } from 'node:worker_threads'` means from now on, in every module.
  syncBuiltinESMExports();
}

/** `hold.started`, `step.intended fence`: how the reports call an entry. */
function labelOf({ kind, step }) {
  return step === undefined ? kind : `${kind} ${step}`;
}

function killAfterCommit(wanted, report) {
  let counted = 0;
  let begun = false;
  let ended = false;
  let commit = [];
  const reached = () => ended || counted >= Number(wanted) || commit.includes(wanted);
  const { prepare, exec } = DatabaseSync.prototype;

  function count(entry) {
    begun ||= entry.kind === 'hold.started';
    if (!begun) return;
    commit.push(labelOf(entry));
    // What stands behind the run's end in the same commit is not of the failover, and is on disk with it all the same.
    if (!ended) counted += 1;
    ended ||= entry.kind === 'run.ended';
  }
  DatabaseSync.prototype.prepare = function preparedAndCounted(sql, ...rest) {
    const statement = prepare.call(this, sql, ...rest);
    if (!sql.startsWith(INSERT)) return statement;
    const { run } = statement;
    statement.run = function countedRun(...values) {
      const result = run.apply(statement, values);
      count(JSON.parse(values.at(-1)));
      return result;
    };
    return statement;
  };
  DatabaseSync.prototype.exec = function executed(sql) {
    if (sql === 'begin immediate') commit = [];
    exec.call(this, sql);
    if (sql !== 'commit' || commit.length === 0 || !reached()) return;
    // Several entries may be committed at once, and nothing can come between them: `entries` names them all.
    writeFileSync(report, JSON.stringify({ counted, entries: commit, ended }));
    process.kill(process.pid, 'SIGKILL');
  };
}
