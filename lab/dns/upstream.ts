import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { createDeframer, frame } from './listener.ts';
import { encodeQuestion, parseResponse, type Response } from './message.ts';

export interface Upstream {
  readonly host: string;
  readonly port: number;
}

/** How long one try may last, and what ends it early (a resolver that is being closed). */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const maxId = 0x10000;

/** Runs one exchange to its first verdict: the answer, or `null` by timeout, abort or error. */
function firstVerdict(
  { timeoutMs, signal }: Patience,
  start: (finish: (response: Response | null) => void) => () => void,
): Promise<Response | null> {
  return new Promise((resolve) => {
    let done = false;
    const finish = (response: Response | null) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      release();
      resolve(response);
    };
    const giveUp = () => finish(null);
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener('abort', giveUp);
    const release = start(finish);
    if (signal.aborted) giveUp();
  });
}

function askUdp(upstream: Upstream, id: number, message: Buffer, patience: Patience): Promise<Response | null> {
  return firstVerdict(patience, (finish) => {
    const socket = createSocket('udp4');
    let open = true;
    socket.on('error', () => finish(null));
    socket.on('message', (reply) => {
      const response = parseResponse(reply);
      if (response?.id === id) finish(response);
    });
    // Connected, so that a closed port is told to us (ECONNREFUSED) and doesn't cost the whole timeout.
    socket.connect(upstream.port, upstream.host, () => {
      if (open) socket.send(message);
    });
    return () => {
      open = false;
      socket.close();
    };
  });
}

function askTcp(upstream: Upstream, id: number, message: Buffer, patience: Patience): Promise<Response | null> {
  return firstVerdict(patience, (finish) => {
    const socket = connect(upstream.port, upstream.host);
    const deframe = createDeframer();
    socket.on('error', () => finish(null));
    socket.on('close', () => finish(null));
    socket.on('data', (chunk) => {
      for (const reply of deframe(chunk)) {
        const response = parseResponse(reply);
        if (response?.id === id) finish(response);
      }
    });
    socket.write(frame(message));
    return () => socket.destroy();
  });
}

/** Asks a name server: UDP, then TCP when the answer was cut. `null` = it didn't answer. */
export async function askUpstream(
  upstream: Upstream,
  name: string,
  type: string,
  patience: Patience,
): Promise<Response | null> {
  const id = randomInt(maxId);
  const message = encodeQuestion(id, name, type);
  const response = await askUdp(upstream, id, message, patience);
  return response?.truncated === true ? askTcp(upstream, id, message, patience) : response;
}
