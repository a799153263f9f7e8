import { connect, type Socket } from 'node:net';
import { createLane, type Lane } from './lane.ts';

/** One connection through a link: the client's socket, the target's once it is dialled, and a lane each way. */
export interface Connection {
  readonly state: () => 'held' | 'dialled' | 'closed';
  /** The link changed: dial if that had to wait, let bytes go or stop them. */
  update(): void;
  reset(): void;
}

/** `to` is towards the link's target, `from` comes back from it. */
export type Direction = 'to' | 'from';

export interface ConnectionRules {
  readonly open: (direction: Direction) => boolean;
  readonly drawDelayMs: () => number;
  readonly delivered: (direction: Direction, bytes: number) => void;
  readonly dialFailed: () => void;
  readonly closed: () => void;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** `client` comes paused, so that nothing is lost or noticed before there is somewhere to send it. */
export function createConnection(client: Socket, target: Target, rules: ConnectionRules): Connection {
  let upstream: Socket | null = null;
  let connected = false;
  let closed = false;
  let lanes: Lane[] = [];

  function over(): void {
    if (closed || !client.destroyed || upstream?.destroyed === false) return;
    closed = true;
    for (const lane of lanes) lane.stop();
    rules.closed();
  }

  function laneRules(direction: Direction) {
    return {
      // Before the target has answered, bytes would only pile up where a cut can't stop them.
      open: () => rules.open(direction) && (direction === 'from' || connected),
      drawDelayMs: rules.drawDelayMs,
      delivered: (bytes: number) => rules.delivered(direction, bytes),
    };
  }

  function update(): void {
    if (closed) return;
    // A handshake needs both ways: with one of them dropped, a SYN or its answer would be lost.
    if (upstream === null && rules.open('to') && rules.open('from')) dial();
    for (const lane of lanes) lane.pump();
  }

  function dial(): void {
    const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
    upstream = socket;
    lanes = [createLane(client, socket, laneRules('to')), createLane(socket, client, laneRules('from'))];
    socket.on('connect', () => {
      connected = true;
      update();
    });
    // Told to the other side by the lane, as a reset, when the link lets it through.
    socket.on('error', () => {
      if (!connected) rules.dialFailed();
    });
    socket.on('close', over);
  }

  client.setNoDelay(true);
  client.on('error', () => undefined);
  client.on('close', over);

  return {
    state: () => (closed ? 'closed' : upstream === null ? 'held' : 'dialled'),
    update,
    reset() {
      for (const lane of lanes) lane.stop();
      client.resetAndDestroy();
      upstream?.resetAndDestroy();
    },
  };
}
