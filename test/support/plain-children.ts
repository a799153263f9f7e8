// Loaded before every test file (see .taprc). tap instruments each process that a test starts, and theirs in turn, to
// measure coverage, which is off here. Our tests start daemons, tools and servers under other users: those must run
// as they do in the field, without tap's loader and without its environment.
import processOnSpawn from 'process-on-spawn';

const LOADER = '@tapjs/processinfo';

const isTaps = ([name, value]: [string, string | undefined]): boolean =>
  /^(?:TAP|TAP_.*|_TAPJS_.*)$/.test(name) || (name === 'NODE_OPTIONS' && (value ?? '').includes(LOADER));

if (process.env['NODE_OPTIONS']?.includes(LOADER)) delete process.env['NODE_OPTIONS'];

processOnSpawn.removeAllListeners();
processOnSpawn.addListener((child) => {
  child.env = Object.fromEntries(Object.entries(child.env).filter((entry) => !isTaps(entry)));
});
