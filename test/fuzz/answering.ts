/** The daemon's real face, and what must hold for each of its answers. */
import { PROBLEMS, problemCode } from '../../src/daemon/http/problem.ts';
import { BEARER, type Harness, type HarnessOptions, serve, TOKENS } from '../daemon/http/harness.ts';
import { must } from './target.ts';

export type Served = {
  readonly h: Harness;
  /** Whether the API's description has such an answer; true where it has no such address. */
  readonly isDescribed: (method: string, url: string, status: number) => boolean;
  close(): Promise<void>;
};

const SECRETS = [BEARER, ...Object.values(TOKENS)];
/** The only ones that are no defect: documented in docs/http.md. */
const DOCUMENTED: ReadonlySet<string> = new Set(
  Object.entries(PROBLEMS).flatMap(([code, { status }]) => (status >= 500 && code !== 'internal' ? [code] : [])),
);
/** What only a webhook, a report or an order that was taken may leave in the journal. */
const CAUSED =
  /"(?:alerts\.received|report\.made|report\.cleared|approval\.given|order\.answered|proposal\.closed|run\.(?:aborting|resumed))"/;
/** No limits: what is over them would be refused unread. */
const ALL = { burst: 1e9, perSecond: 1e9 };

export async function begin(options: HarnessOptions = {}): Promise<Served> {
  const ends: (() => unknown)[] = [];
  const h = await serve({ teardown: (end: () => unknown) => void ends.push(end) } as never, {
    rates: { client: ALL, person: ALL, guess: ALL, guard: ALL, past: ALL },
    ...options,
  });
  return {
    h,
    isDescribed: await descriptionOf(h),
    async close() {
      for (const end of ends) await end();
    },
  };
}

async function descriptionOf(h: Harness): Promise<Served['isDescribed']> {
  const { body } = await h.app.inject({ url: '/api/v1/openapi.json' });
  const { paths } = JSON.parse(body) as { paths: Record<string, Record<string, { responses: object }>> };
  const known = Object.entries(paths).map(([path, methods]) => {
    return { pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`), methods };
  });
  return (method, url, status) => {
    const path = url.split('?')[0] ?? '';
    const found = known.find(({ pattern }) => pattern.test(path));
    const operation = found?.methods[method === 'HEAD' ? 'get' : method.toLowerCase()];
    return operation === undefined || Object.hasOwn(operation.responses, String(status));
  };
}

export type Asked = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload?: Buffer | string | undefined;
};

/** Asks without a socket, and judges the answer; returns its status and text. */
export async function asking(
  { h, isDescribed }: Served,
  asked: Asked,
): Promise<{ readonly status: number; readonly text: string }> {
  const before = h.disk.rows.length;
  const answer = await h.app.inject({
    method: asked.method as 'POST',
    url: asked.url,
    headers: asked.headers,
    ...(asked.payload === undefined ? {} : { payload: asked.payload }),
  });
  const { statusCode: status, body: text } = answer;
  const where = `${asked.method} ${asked.url} answered ${status}`;
  for (const secret of SECRETS) must(!text.includes(secret), () => `${where} and told a secret`);
  must(h.engine.health() === 'running', () => `${where}, and the engine stands still: ${h.engine.failure()?.message}`);
  must(isDescribed(asked.method, asked.url, status), () => `${where}, which the description of the API does not have`);
  if (status < 400) return { status, text };
  must(
    /^application\/problem\+json/.test(String(answer.headers['content-type'])),
    () => `${where} without a problem document`,
  );
  const problem = asked.method === 'HEAD' ? null : (JSON.parse(text) as { type?: unknown; status?: unknown });
  if (problem !== null) {
    const code = problemCode(problem);
    must(code !== null && problem.status === status, () => `${where} with a strange problem: ${text.slice(0, 300)}`);
    must(status < 500 || DOCUMENTED.has(code), () => `${where}: ${text.slice(0, 300)}`);
  } else must(status < 500, () => where);
  const left = h.disk.rows.slice(before).map((row) => JSON.stringify(row));
  must(
    !left.some((row) => CAUSED.test(row)),
    () => `${where}, and left in the journal: ${left.join(' ').slice(0, 300)}`,
  );
  return { status, text };
}

/** A daemon that is begun anew after so many inputs: its journal grows with what is taken. */
export function renewing(every: number, options: HarnessOptions = {}) {
  let served: Served | null = null;
  let used = 0;
  return {
    async now(): Promise<Served> {
      if (used >= every) await this.close();
      used += 1;
      served ??= await begin(options);
      return served;
    },
    async close(): Promise<void> {
      const old = served;
      served = null;
      used = 0;
      await old?.close();
    },
  };
}
