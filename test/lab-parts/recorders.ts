/**
 * Recorders that stand before every server and note what a client sends to change something and what to read: PostgreSQL
 * by its wire protocol, HTTP by its methods, DNS by its opcodes.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Sent = {
  readonly to: string;
  readonly protocol: 'postgres' | 'http' | 'dns';
  /** SQL, or `METHOD /path`, or the opcode with its name. */
  readonly what: string;
  readonly kind: 'read' | 'write';
};

export type Recorder = { readonly host: string; readonly port: number; close(): Promise<void> };

/** What only reads. A function that changes something is called by a SELECT too, so those are told by their names. */
const READS = /^\s*(?:select|show)\b/i;
const CHANGES =
  /\b(?:into|for\s+(?:no\s+key\s+)?update|for\s+(?:key\s+)?share|nextval|setval|set_config|lo_\w+|dblink\w*|pg_(?:promote|switch_wal|create_\w+|drop_\w+|replication_slot_advance|logical_\w+|wal_replay_(?:pause|resume)|backup_\w+|reload_conf|rotate_logfile|terminate_backend|cancel_backend|notify|advisory\w*|try_advisory\w*|current_xact_id|export_snapshot|stat_reset\w*))\b/i;

export const sqlKind = (sql: string): Sent['kind'] => (READS.test(sql) && !CHANGES.test(sql) ? 'read' : 'write');

const SSL_REQUESTS = new Set([80877103, 80877104]);
/** Messages of a client that carry no order of their own: authentication, binding, running and closing what was parsed. */
const SILENT = new Set(['p', 'B', 'E', 'D', 'C', 'H', 'S', 'X']);

/** Notes every statement that a client sends, and passes all bytes on. */
export async function recordPostgres(
  to: string,
  target: { readonly host: string; readonly port: number },
  note: (sent: Sent) => void,
): Promise<Recorder> {
  return await tcp(target, () => {
    let buffer = Buffer.alloc(0);
    let started = false;
    return (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (;;) {
        const at = started ? 1 : 0;
        if (buffer.length < at + 4) return;
        const length = at + buffer.readInt32BE(at);
        if (buffer.length < length) return;
        const message = buffer.subarray(0, length);
        buffer = buffer.subarray(length);
        if (!started) {
          // After a request for TLS the real start-up message follows in the same form.
          started = !SSL_REQUESTS.has(message.readInt32BE(4));
          continue;
        }
        const type = String.fromCharCode(message[0] ?? 0);
        if (SILENT.has(type)) continue;
        const texts = message.subarray(5).toString('utf8').split('\0');
        const sql = type === 'Q' ? texts[0] : type === 'P' ? texts[1] : undefined;
        const what = sql ?? `message ${type}`;
        note({ to, protocol: 'postgres', what, kind: sql === undefined ? 'write' : sqlKind(sql) });
      }
    };
  });
}

async function tcp(
  target: { readonly host: string; readonly port: number },
  reader: () => (chunk: Buffer) => void,
): Promise<Recorder> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const read = reader();
    const upstream = connect(target);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => {
      read(chunk);
      upstream.write(chunk);
    });
    upstream.pipe(client);
  });
  server.listen(0, target.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    host: target.host,
    port,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const READING_METHODS = new Set(['GET', 'HEAD']);

/** Notes every request, and passes it on as it is. */
export async function recordHttp(to: string, target: URL, note: (sent: Sent) => void): Promise<Recorder> {
  const server = http.createServer((request, response) => {
    const { method = '', url = '' } = request;
    note({ to, protocol: 'http', what: `${method} ${url}`, kind: READING_METHODS.has(method) ? 'read' : 'write' });
    const { hostname: host, port } = target;
    const outgoing = http.request(
      { host, port, method, path: url, headers: request.headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    // Nobody behind it: the client sees its connection end, as it would without us.
    outgoing.on('error', () => request.socket.destroy());
    request.pipe(outgoing);
  });
  server.listen(0, target.hostname);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    host: target.hostname,
    port,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const QUERY = 0;

/** Notes every message; one that is no query (RFC 1035, 4.1.1: opcode 0) would be an update or a notice. UDP alone. */
export async function recordDns(to: string, target: string, note: (sent: Sent) => void): Promise<Recorder> {
  const [host = '', port] = target.split(':');
  const server = createSocket('udp4');
  const asking = new Set<ReturnType<typeof createSocket>>();
  server.on('message', (message, from) => {
    const opcode = ((message[2] ?? 0) >> 3) & 0xf;
    note({ to, protocol: 'dns', what: `opcode ${opcode}`, kind: opcode === QUERY ? 'read' : 'write' });
    const upstream = createSocket('udp4');
    asking.add(upstream);
    upstream.on('message', (answer) => {
      server.send(answer, from.port, from.address);
      asking.delete(upstream);
      upstream.close();
    });
    upstream.send(message, Number(port), host);
  });
  server.bind(0, host);
  await once(server, 'listening');
  return {
    host,
    port: server.address().port,
    async close() {
      for (const socket of asking) socket.close();
      server.close();
      await once(server, 'close');
    },
  };
}
