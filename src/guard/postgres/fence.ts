/**
 * The boot fence: a `pg_hba` of the guard's own, named on the command line of its start. Fenced, it lets in nobody but the
 * guard on the socket; open, it is the operator's file with two lines before it. Which one is in force is asked of the server
 * itself, by trying to get in: a file on disk says what somebody hopes (decision 0016).
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Timers } from '../../runtime/timers.ts';
import { replaceFile } from './files.ts';

/** A role that is nowhere. Fenced, no line speaks of it and it is refused; open, it is asked for a password. */
const KNOCKER = 'failoverd-knocks';

const quotedName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const guardLine = (user: string): string => `local all ${quotedName(user)} trust`;

export const fencedText = (user: string): string =>
  `# Written by failoverd guard: fenced. Nobody is let in but the guard.\n${guardLine(user)}\n`;

export const openText = (user: string, operators: string): string =>
  [
    '# Written by failoverd guard: open. What follows the two lines is a copy of the operator’s file.',
    guardLine(user),
    `local all ${quotedName(KNOCKER)} scram-sha-256`,
    operators,
  ].join('\n');

export type FenceFile = {
  readonly path: string;
  /** Both resolve once the file is on disk; neither tells a running server. */
  writeFenced(): void;
  writeOpen(): void;
};

export function createFenceFile(folder: string, user: string, operatorsHba: string): FenceFile {
  const path = join(folder, 'pg_hba.conf');
  return {
    path,
    writeFenced: () => replaceFile(path, fencedText(user)),
    writeOpen: () => replaceFile(path, openText(user, readFileSync(operatorsHba, 'utf8'))),
  };
}

export type Knock = 'open' | 'fenced' | 'unknown';

/** The start-up message of protocol 3.0 (PostgreSQL manual, "Message Formats"). */
function startupMessage(): Buffer {
  const body = Buffer.from(`user\0${KNOCKER}\0database\0postgres\0\0`, 'utf8');
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + head.length, 0);
  head.writeInt32BE(3 << 16, 4);
  return Buffer.concat([head, body]);
}

/** 28000: no line lets this one in (PostgreSQL manual, appendix A). */
const REFUSED_BY_HBA = /\0C28000\0/;

/** Knocks on the socket as nobody: asked for a password = open, refused by pg_hba = fenced, anything else = unknown. */
export function knock(socketPath: string, withinMs: number, timers: Timers): Promise<Knock> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    let heard = Buffer.alloc(0);
    const end = (answer: Knock): void => {
      cancel();
      socket.destroy();
      resolve(answer);
    };
    const cancel = timers.after(withinMs, () => end('unknown'));
    socket.on('connect', () => void socket.write(startupMessage()));
    socket.on('error', () => end('unknown'));
    socket.on('close', () => end('unknown'));
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      const type = heard.toString('latin1', 0, 1);
      if (type === 'R') return end('open');
      if (type !== 'E') return end('unknown');
      if (heard.length < 5 || heard.length < 1 + heard.readInt32BE(1)) return;
      end(REFUSED_BY_HBA.test(heard.toString('latin1')) ? 'fenced' : 'unknown');
    });
  });
}
