import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { codeOf, LabError, textOf } from '../servers/errors.ts';
import { type HypervisorConfig, type MachineName, readConfig } from './config.ts';
import { closeServer, listen, readJson, sendJson } from './http.ts';
import { clearRegion, lyingRegion, openRegion, type Region, type RegionStatus } from './machines.ts';

/**
 * The hypervisor of the lab: `node lab/region/hypervisor.ts --config FILE`, a process outside both regions that owns
 * their machines. It keeps no picture of its own: what it says of a region it reads from the kernel at that moment,
 * and what is locked off is a file, so it may die and come back at any time.
 *
 *     GET  /regions                     every region's status
 *     GET  /regions/NAME                its status (what a fence driver reads back)
 *     POST /regions/NAME/off | on       power cut and lock; unlock and start
 *     POST /regions/NAME/crash          {machine?}  kill without a lock
 *     POST /regions/NAME/pause | resume {machine?}  freeze, wake
 *     POST /regions/NAME/start | stop   {machine}
 */
const config = await readConfig<HypervisorConfig>(process.argv);
const log = (line: string): void => console.log(`${new Date().toISOString()} ${line}`);
const regions = new Map<string, Region>(
  Object.entries(config.regions).map(([name, machines]) => {
    const region = openRegion(name, machines, config.stateDir, log);
    return [name, config.lie === true ? lyingRegion(region) : region];
  }),
);

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    log(`${request.method} ${request.url}: ${textOf(error)}`);
    const status = error instanceof LabError && error.code === 'bad-input' ? 409 : 500;
    if (!response.headersSent) sendJson(response, status, { code: codeOf(error) ?? 'error', detail: textOf(error) });
  });
});
await listen(server, config.host, config.port);
log(`hypervisor on ${config.host}:${config.port} for ${[...regions.keys()].join(', ')}`);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, first, name, act] = (request.url ?? '').split('/');
  if (first !== 'regions') {
    sendJson(response, 404, { code: 'not-found', detail: 'see /regions' });
    return;
  }
  if (name === undefined || name === '') {
    sendJson(response, 200, {
      regions: await Promise.all([...regions.values()].map(async (each) => await each.status())),
    });
    return;
  }
  const region = regions.get(name);
  if (region === undefined) {
    sendJson(response, 404, { code: 'not-found', detail: `no region ${name}` });
    return;
  }
  const status =
    request.method === 'POST' ? await perform(region, act, await machineOf(request)) : await region.status();
  if (status === undefined) sendJson(response, 404, { code: 'not-found', detail: `no act ${act ?? ''}` });
  else sendJson(response, 200, status);
}

async function machineOf(request: IncomingMessage): Promise<MachineName | undefined> {
  const body = await readJson(request);
  const machine = typeof body === 'object' && body !== null && 'machine' in body ? body.machine : undefined;
  if (machine === undefined || machine === 'postgres' || machine === 'service') return machine;
  throw new LabError('bad-input', `no machine ${String(machine)}`, 'postgres or service');
}

async function perform(
  region: Region,
  act: string | undefined,
  machine: MachineName | undefined,
): Promise<RegionStatus | undefined> {
  switch (act) {
    case 'off':
      return await region.off();
    case 'on':
      return await region.on();
    case 'crash':
      return await region.crash(machine);
    case 'pause':
      return await region.signal('SIGSTOP', machine);
    case 'resume':
      return await region.signal('SIGCONT', machine);
    case 'start':
      return await region.start(required(machine));
    case 'stop':
      return await region.stop(required(machine));
    default:
      return undefined;
  }
}

function required(machine: MachineName | undefined): MachineName {
  if (machine === undefined) throw new LabError('bad-input', 'which machine?', 'postgres or service');
  return machine;
}

let ending = false;
async function end(reason: string): Promise<void> {
  if (ending) return;
  ending = true;
  log(`ending: ${reason}`);
  await closeServer(server);
  for (const machines of Object.values(config.regions)) await clearRegion(machines);
  process.exit(0);
}

function endOrSay(reason: string): void {
  end(reason).catch((error: unknown) => {
    log(`machines may be left: ${textOf(error)}`);
    process.exit(1);
  });
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => endOrSay(signal));
if (config.endWithParent === true) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) endOrSay('the lab is gone');
  }, 500).unref();
}
