/** What a guard and its dead-man say to each other: one JSON object a line, over a socket that only their user may open. */
import type { Socket } from 'node:net';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';

const closed = { additionalProperties: false } as const;

export const ToDeadMan = Type.Union([
  Type.Object({ kind: Type.Literal('pet'), sentMs: Type.Number() }, closed),
  Type.Object({ kind: Type.Literal('disarm') }, closed),
  /** Another one takes over: where nothing is armed it ends. */
  Type.Object({ kind: Type.Literal('end') }, closed),
]);
export type ToDeadMan = Static<typeof ToDeadMan>;

/** Sent at each connection, and after each line. */
export const FromDeadMan = Type.Object(
  {
    pid: Type.Integer({ minimum: 1 }),
    /** What it would end, and how long after a send. */
    dataDir: Type.String(),
    afterMs: Type.Number(),
    state: Type.Enum(['off', 'armed', 'over']),
    sentMs: Type.Union([Type.Number(), Type.Null()]),
    deeds: Type.Array(Type.String()),
  },
  closed,
);
export type FromDeadMan = Static<typeof FromDeadMan>;

const LONGEST_LINE = 64 * 1024;

export const send = (socket: Socket, what: ToDeadMan | FromDeadMan): void =>
  void socket.write(`${JSON.stringify(what)}\n`);

/** Calls with each line that is of this shape; anything else closes the connection. */
export function onLines<T extends typeof ToDeadMan | typeof FromDeadMan>(
  socket: Socket,
  schema: T,
  heard: (line: Static<T>) => void,
): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) return void socket.destroy();
    for (const line of lines) {
      const said = parsed(line);
      if (!Value.Check(schema, said)) return void socket.destroy();
      heard(said as Static<T>);
    }
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // No JSON: no line of ours, which the check that follows finds.
    return undefined;
  }
}
