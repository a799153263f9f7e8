import type { IncomingMessage, ServerResponse } from 'node:http';
import { type FaultOptions, faultKinds } from './faults.ts';
import { type Operation, operations } from './operations.ts';
import type { Route53Lab } from './server.ts';

/**
 * `/_lab/...`: the lab's own hand on the fake, as JSON and without credentials. No real service has it.
 *
 *     POST /_lab/fault    {"kind": "5xx" | ... | null, "count"?: n, "operations"?: ["GetChange", ...]}
 *     POST /_lab/health   {"id": "...", "healthy": true | false | null}
 *     GET  /_lab/changes  accepted changes      GET /_lab/records?zone=ID      GET /_lab/requests
 */

/** More paths of the process this server runs in; `undefined` = not one of mine. */
export type AdminExtension = (method: string, path: string, body: Readonly<Record<string, unknown>>) => unknown;

class BadRequest extends Error {}

const maxBodyOctets = 65_536;

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
    if (text.length > maxBodyOctets) throw new BadRequest('body too large');
  }
  if (text === '') return {};
  const parsed = parseJson(text);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new BadRequest('body: object expected');
  return parsed as Readonly<Record<string, unknown>>;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadRequest('body: not JSON');
  }
}

function readFaultOptions(body: Readonly<Record<string, unknown>>): FaultOptions {
  const { count, operations: named } = body;
  if (count !== undefined && (typeof count !== 'number' || !Number.isInteger(count) || count < 1)) {
    throw new BadRequest('count: a whole number from 1 expected');
  }
  const isOperation = (name: unknown): name is Operation => operations.some((operation) => operation === name);
  if (named !== undefined && !(Array.isArray(named) && named.every(isOperation))) {
    throw new BadRequest(`operations: a list from ${operations.join(', ')} expected`);
  }
  return { ...(count !== undefined && { count }), ...(named !== undefined && { operations: named }) };
}

function setFault(lab: Route53Lab, body: Readonly<Record<string, unknown>>): unknown {
  const kind = body['kind'] === null ? null : faultKinds.find((known) => known === body['kind']);
  if (kind === undefined) throw new BadRequest(`kind: null or one of ${faultKinds.join(', ')} expected`);
  lab.fault(kind, readFaultOptions(body));
  return { kind };
}

function setHealth(lab: Route53Lab, body: Readonly<Record<string, unknown>>): unknown {
  const { id, healthy } = body;
  if (typeof id !== 'string' || (typeof healthy !== 'boolean' && healthy !== null)) {
    throw new BadRequest('id and healthy (true, false or null) expected');
  }
  lab.setHealth(id, healthy);
  return { id, healthy: lab.isHealthy(id) };
}

function answer(
  lab: Route53Lab,
  method: string,
  url: URL,
  body: Readonly<Record<string, unknown>>,
  extension: AdminExtension | null,
): unknown {
  switch (`${method} ${url.pathname}`) {
    case 'POST /_lab/fault':
      return setFault(lab, body);
    case 'POST /_lab/health':
      return setHealth(lab, body);
    case 'GET /_lab/changes':
      return lab.changes();
    case 'GET /_lab/requests':
      return lab.requests();
    case 'GET /_lab/records':
      return lab.records(url.searchParams.get('zone') ?? '');
    default:
      return extension?.(method, url.pathname, body);
  }
}

export async function handleAdmin(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  lab: Route53Lab,
  extension: AdminExtension | null,
): Promise<void> {
  const send = (status: number, content: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(content)}\n`);
  };
  try {
    const content = answer(lab, request.method ?? '', url, await readJson(request), extension);
    if (content === undefined) send(404, { error: 'no such lab path' });
    else send(200, content);
  } catch (error) {
    send(error instanceof BadRequest ? 400 : 500, { error: error instanceof Error ? error.message : String(error) });
  }
}
