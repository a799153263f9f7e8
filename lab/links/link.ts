import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Connection, createConnection, type Direction } from './connection.ts';

/**
 * A network path between two places, as TCP proxies that can be cut, slowed or made one-way while they run.
 *
 * What a proxy can't do as a wire does:
 * - The kernel answers a SYN before we are asked. While the link drops packets, a new connection is therefore accepted
 *   and then held in silence (a caller sees a connect that succeeds and an answer that never comes, where a dropped
 *   SYN would let the connect itself time out); it goes through when the link heals, as a retransmitted SYN would.
 * - Likewise a target that refuses shows as a reset right after connecting, not as a refused connect.
 * - With one direction dropped the other still flows; on a wire its acknowledgements would be lost and it would stall
 *   once the window is full.
 * - Up to one piece (64 KiB) already handed to the kernel for a slow reader may still arrive after a cut.
 */

export type LinkName = `${string}->${string}`;
export type LinkState =
  | { readonly kind: 'up' }
  | { readonly kind: 'cut'; readonly mode: 'drop' | 'reset' }
  | { readonly kind: 'oneWay'; readonly drops: Direction };

export interface ForwardOptions {
  readonly listenHost: string;
  /** 0 or absent: any free port. */
  readonly listenPort?: number;
  readonly targetHost: string;
  readonly targetPort: number;
}

export interface Forward {
  readonly host: string;
  readonly port: number;
  /** Stops listening and resets what goes through here. */
  close(): Promise<void>;
}

export interface LinkCounters {
  readonly accepted: number;
  /** Now, the held ones included. */
  readonly active: number;
  /** Accepted and waiting for the link to heal, now. */
  readonly held: number;
  readonly dialFailed: number;
  readonly bytesTo: number;
  readonly bytesFrom: number;
}

export interface Link {
  readonly name: LinkName;
  forward(options: ForwardOptions): Promise<Forward>;
  /**
   * `drop`: a black hole. Established connections stay open and nothing moves, no byte, FIN or RST; what was sent
   * meanwhile arrives after `heal`, as retransmissions would. `reset`: everything is reset at once, and so is every
   * new connection.
   */
  cut(options: { readonly mode: 'drop' | 'reset' }): void;
  /** Drops one direction only: `to` = towards the target, `from` = from it. New connections are held, as in a drop. */
  oneWay(drops: Direction): void;
  /** Every piece arrives `ms` later, plus up to `jitterMs`, each way; stays through cuts until changed or healed. */
  delay(ms: number, jitterMs?: number): void;
  /** As new: up, both ways, no delay. What a cut held back flows, and a connection whose peer has gone is closed. */
  heal(): void;
  state(): LinkState;
  counters(): LinkCounters;
  close(): Promise<void>;
}

export function createLink(name: LinkName): Link {
  const connections = new Set<Connection>();
  const forwards = new Set<Forward>();
  const counts = { accepted: 0, dialFailed: 0, to: 0, from: 0 };
  let state: LinkState = { kind: 'up' };
  let latency = { delayMs: 0, jitterMs: 0 };

  const isOpen = (direction: Direction) =>
    state.kind === 'up' || (state.kind === 'oneWay' && state.drops !== direction);

  function enter(next: LinkState): void {
    state = next;
    for (const connection of connections) connection.update();
  }

  function accept(client: Socket, options: ForwardOptions, own: Set<Connection>): void {
    counts.accepted += 1;
    if (state.kind === 'cut' && state.mode === 'reset') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const connection = createConnection(
      client,
      { host: options.targetHost, port: options.targetPort },
      {
        open: isOpen,
        drawDelayMs: () => latency.delayMs + Math.random() * latency.jitterMs,
        delivered: (direction, bytes) => {
          counts[direction] += bytes;
        },
        dialFailed: () => {
          counts.dialFailed += 1;
        },
        closed: () => {
          connections.delete(connection);
          own.delete(connection);
        },
      },
    );
    connections.add(connection);
    own.add(connection);
    connection.update();
  }

  function toForward(server: Server, own: Set<Connection>, host: string): Forward {
    const { port } = server.address() as AddressInfo;
    const forward: Forward = {
      host,
      port,
      async close() {
        if (!forwards.delete(forward)) return;
        const closed = once(server, 'close');
        server.close();
        for (const connection of [...own]) connection.reset();
        await closed;
      },
    };
    forwards.add(forward);
    return forward;
  }

  return {
    name,
    async forward(options) {
      const own = new Set<Connection>();
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
        accept(client, options, own);
      });
      server.listen(options.listenPort ?? 0, options.listenHost);
      await once(server, 'listening');
      return toForward(server, own, options.listenHost);
    },
    cut({ mode }) {
      enter({ kind: 'cut', mode });
      if (mode === 'reset') for (const connection of [...connections]) connection.reset();
    },
    oneWay: (drops) => enter({ kind: 'oneWay', drops }),
    delay(ms, jitterMs = 0) {
      latency = { delayMs: ms, jitterMs };
    },
    heal() {
      latency = { delayMs: 0, jitterMs: 0 };
      enter({ kind: 'up' });
    },
    state: () => state,
    counters: () => ({
      accepted: counts.accepted,
      active: connections.size,
      held: [...connections].filter((connection) => connection.state() === 'held').length,
      dialFailed: counts.dialFailed,
      bytesTo: counts.to,
      bytesFrom: counts.from,
    }),
    async close() {
      await Promise.all([...forwards].map((forward) => forward.close()));
    },
  };
}
