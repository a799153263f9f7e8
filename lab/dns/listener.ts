import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** One address answering DNS over UDP and TCP at the same port (RFC 7766), for name servers and resolvers alike. */

export type Transport = 'udp' | 'tcp';
/** `null` = say nothing, and let the asker wait. */
export type MessageHandler = (message: Buffer, transport: Transport) => Promise<Buffer | null> | Buffer | null;

export interface Listener {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

const bindAttempts = 20;
const tcpIdleMs = 10_000;
const lengthPrefixOctets = 2;

export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(lengthPrefixOctets);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Cuts a TCP stream into its length-prefixed messages; what is not whole yet waits for more. */
export function createDeframer(): (chunk: Buffer | string) => Buffer[] {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = Buffer.concat([pending, Buffer.from(chunk)]);
    const messages: Buffer[] = [];
    while (pending.length >= lengthPrefixOctets) {
      const end = lengthPrefixOctets + pending.readUInt16BE(0);
      if (pending.length < end) break;
      messages.push(pending.subarray(lengthPrefixOctets, end));
      pending = pending.subarray(end);
    }
    return messages;
  };
}

function serveConnection(socket: Socket, handle: MessageHandler): void {
  const deframe = createDeframer();
  socket.setTimeout(tcpIdleMs, () => socket.destroy());
  // A client that goes away in the middle is its own business: the connection is simply over.
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    for (const message of deframe(chunk)) {
      void Promise.resolve(handle(message, 'tcp')).then((reply) => {
        if (reply !== null && socket.writable) socket.write(frame(reply));
      });
    }
  });
}

async function bindUdp(host: string, port: number): Promise<DatagramSocket> {
  const socket = createSocket('udp4');
  socket.bind(port, host);
  await once(socket, 'listening');
  return socket;
}

async function bindTcp(host: string, port: number): Promise<Server> {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

/** With an ephemeral port the TCP one may be taken already: another pair is tried then, a bounded number of times. */
async function bindPair(host: string, port: number): Promise<{ udp: DatagramSocket; tcp: Server }> {
  const attempts = port === 0 ? bindAttempts : 1;
  for (let attempt = 1; ; attempt += 1) {
    const udp = await bindUdp(host, port);
    try {
      return { udp, tcp: await bindTcp(host, udp.address().port) };
    } catch (error) {
      udp.close();
      if (attempt >= attempts) throw error;
    }
  }
}

export async function listen(host: string, port: number, handle: MessageHandler): Promise<Listener> {
  const { udp, tcp } = await bindPair(host, port);
  const connections = new Set<Socket>();
  let open = true;
  udp.on('message', (message, from) => {
    void Promise.resolve(handle(message, 'udp')).then((reply) => {
      if (reply !== null && open) udp.send(reply, from.port, from.address);
    });
  });
  // An ICMP refusal of an earlier answer shows up here; it says nothing about the next question.
  udp.on('error', () => undefined);
  tcp.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    serveConnection(socket, handle);
  });
  return {
    host,
    port: (tcp.address() as AddressInfo).port,
    async close() {
      if (!open) return;
      open = false;
      for (const socket of connections) socket.destroy();
      const closed = [once(udp, 'close'), once(tcp, 'close')];
      udp.close();
      tcp.close();
      await Promise.all(closed);
    },
  };
}
