/** The daemon's end of witness reports: opens them as it does, and answers as its HTTP face does. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WitnessReport } from '../../src/model/evidence.ts';
import { createReportDesk, type ReportDesk, witnessKeys } from '../../src/probes/report.ts';
import { systemClock } from '../../src/runtime/clock.ts';

export type Daemon = {
  readonly url: URL;
  readonly taken: WitnessReport[];
  readonly refusals: string[];
  /** The daemon is started anew: another session, and no memory of sequences. */
  restart(): void;
  /** What it does instead of answering, until further notice. */
  trouble: ((response: ServerResponse) => void) | null;
};

/** Takes the reports of a vantage named north. */
export async function desk(t: { teardown(end: () => void): void }, host: string, publicKey: string): Promise<Daemon> {
  const keys = witnessKeys({ north: { publicKey } });
  const open = (name: string): ReportDesk => createReportDesk({ session: name.repeat(16), keys, clock: systemClock });
  let current = open('a');
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (made.trouble !== null) return made.trouble(response);
      const signature = request.headers['failoverd-signature'];
      const opened = current.open(Buffer.concat(chunks), typeof signature === 'string' ? signature : undefined);
      if (opened.kind === 'opened') {
        made.taken.push(opened.report);
        return void response.writeHead(204).end();
      }
      made.refusals.push(opened.code);
      const conflict = opened.code === 'wrong-session' || opened.code === 'replayed';
      const extra = conflict ? { session: opened.session } : {};
      const last = opened.code === 'replayed' ? { lastSequence: opened.lastSequence } : {};
      response.writeHead(conflict ? 409 : 422, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ type: `https://failoverd.dev/problems/${opened.code}`, ...extra, ...last }));
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const made: Daemon = {
    url: new URL(`http://${host}:${(server.address() as AddressInfo).port}`),
    taken: [],
    refusals: [],
    restart: () => {
      current = open('b');
    },
    trouble: null,
  };
  return made;
}
