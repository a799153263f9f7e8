// Preloaded into a child: the process is killed, from inside and by SIGKILL, right before its N-th write, sync or rename of a
// file, or right after the N-th time that a file got a certain name. A series of these meets every state that a crash can leave.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const after = Number(process.env.CRASH_AFTER ?? 'Infinity');
let count = 0;

function counted(call) {
  return function countedCall(...args) {
    count += 1;
    if (count > after) process.kill(process.pid, 'SIGKILL');
    return call.apply(this, args);
  };
}

const [named, times] = (process.env.CRASH_AT ?? '').split(':');
let seen = 0;
const { rename } = fs.promises;
fs.promises.rename = async (from, to) => {
  await rename(from, to);
  if (named !== '' && String(to).endsWith(named)) seen += 1;
  if (named !== '' && seen >= Number(times)) process.kill(process.pid, 'SIGKILL');
};

for (const name of ['rename', 'mkdir', 'rm', 'chown']) fs.promises[name] = counted(fs.promises[name]);
const probe = await fs.promises.open(process.execPath, 'r');
const handle = Object.getPrototypeOf(probe);
await probe.close();
for (const name of ['sync', 'write', 'writeFile']) handle[name] = counted(handle[name]);
syncBuiltinESMExports();
