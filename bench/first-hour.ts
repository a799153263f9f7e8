import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Ports that no service of a machine listens on, one for each address of the example. */
const FIRST_DEAD_PORT = 2;

/**
 * Write the example for the first hour (`config/minimal.yaml` of the package in `home`) into `folder`, with its state
 * there, listening on `listen`, and with loopback addresses where nothing answers. Gives the file's name.
 */
export async function writeFirstHourConfig(home: string, folder: string, listen: string): Promise<string> {
  let port = FIRST_DEAD_PORT;
  const dead = (): string => `127.0.0.1:${port++}`;
  const text = (await readFile(path.join(home, 'config', 'minimal.yaml'), 'utf8'))
    .replace('stateDir: ../state', `stateDir: state, listen: '${listen}'`)
    .replaceAll(/[a-z0-9.-]+\.example\.com(?::\d+)?/g, dead)
    .replaceAll(/(?<=tcp:\/\/)[0-9.]+:\d+/g, dead);
  const file = path.join(folder, 'failoverd.yaml');
  await writeFile(file, text);
  return file;
}
