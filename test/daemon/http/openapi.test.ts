// The description is valid OpenAPI 3.1, holds every route there is, and every answer there may be.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import SwaggerParser from '@apidevtools/swagger-parser';
import t from 'tap';
import { PROBLEMS } from '../../../src/daemon/http/problem.ts';
import { alert, BEARER, bearer, type Harness, payload, serve, TOKENS } from './harness.ts';

type Answer = { readonly description: string; readonly content?: Record<string, unknown> };
type Operation = {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Record<string, Answer>;
};
type Document = { readonly openapi: string; readonly paths: Record<string, Record<string, Operation>> };

const documentOf = async (h: Harness): Promise<Document> =>
  (await (await h.get('/api/v1/openapi.json')).json()) as Document;
const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation, name: `${method} ${path}` })),
  );

t.test('it is valid, and describes itself too', async (t) => {
  const document = await documentOf(await serve(t));
  t.equal(document.openapi, '3.1.0');
  await t.resolves(SwaggerParser.validate(structuredClone(document) as never));
  const broken = structuredClone(document) as { paths: Record<string, unknown> };
  broken.paths['/status'] = { get: { responses: 'none' } };
  await t.rejects(SwaggerParser.validate(broken as never), 'and what is none is found');
});

t.test('every route of the daemon is in it, and nothing else', async (t) => {
  const h = await serve(t);
  const described = operationsOf(await documentOf(h)).map(({ name }) => name);
  const there = h.routes.filter(({ url, method }) => url !== '/' && method !== 'HEAD');
  t.same(
    described.sort(),
    there.map(({ url, method }) => `${method.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`).sort(),
  );
});

t.test('every operation says who may do it, what it answers, and how it refuses', async (t) => {
  const operations = operationsOf(await documentOf(await serve(t)));
  const ids = operations.map(({ operation }) => operation.operationId);
  t.equal(new Set(ids).size, ids.length, 'names are each there once');
  for (const { name, method, path, operation } of operations) {
    t.ok(operation.summary && operation.tags?.length && operation.operationId, `${name} is named`);
    const statuses = Object.keys(operation.responses);
    t.ok(
      statuses.some((status) => status.startsWith('2')),
      `${name} says what goes well`,
    );
    for (const [status, { description, content = {} }] of Object.entries(operation.responses)) {
      t.ok(description.length > 1, `${name} ${status} is in words`);
      if (Number(status) >= 400 && !(status === '503' && path === '/-/ready'))
        t.same(Object.keys(content), ['application/problem+json'], `${name} ${status}`);
    }
    for (const status of ['400', '429', '500']) t.ok(statuses.includes(status), `${name} ${status}`);
    if (method !== 'post') continue;
    t.ok((operation.security?.length ?? 0) > 0, `${name} is not open`);
    t.ok(statuses.includes('401') && statuses.includes('503'), `${name} refuses strangers, and waits`);
    // Reading a config twice is reading it once.
    if (path === '/-/reload') continue;
    if (path.startsWith('/api/v1/witness') || path.startsWith('/webhooks')) continue;
    // Compare-and-set is its own key: a set that was made finds another revision.
    if (path === '/api/v1/lease') continue;
    // What was counted is the same however often it is told.
    if (path === '/api/v1/divergence') continue;
    t.ok(
      operation.parameters?.some((one) => one.in === 'header' && one.name === 'idempotency-key'),
      `${name} takes a key`,
    );
  }
});

t.test('answers are those that are described', async (t) => {
  const h = await serve(t);
  const document = await documentOf(h);
  const json = { 'content-type': 'application/json' };
  const reports = '/api/v1/groups/{group}/reports';
  const here = reports.replace('{group}', 'orders');
  const asked: readonly [method: string, path: string, url: string, body: unknown, headers: Record<string, string>][] =
    [
      ['get', '/status', '/status', null, {}],
      ['get', '/status', '/status', null, { accept: 'application/json' }],
      ['get', '/api/v1/status', '/api/v1/status?group=x', null, {}],
      ['get', '/-/ready', '/-/ready', null, {}],
      ['get', '/metrics', '/metrics', null, {}],
      ['post', '/webhooks/alertmanager', '/webhooks/alertmanager', payload([alert()]), bearer(BEARER)],
      ['post', '/webhooks/alertmanager', '/webhooks/alertmanager', payload([alert()]), {}],
      ['post', reports, here, { report: 'corruption', what: 'sums' }, bearer(TOKENS.ann)],
      ['post', reports, here, { report: 'corruption' }, bearer(TOKENS.ann)],
      ['post', reports, here, { report: 'corruption', what: 'sums' }, bearer(TOKENS.vic)],
      [
        'post',
        reports,
        here,
        { report: 'corruption', what: 'sums' },
        { ...bearer(TOKENS.ann), 'idempotency-key': '"' },
      ],
      ['post', '/api/v1/witness/reports', '/api/v1/witness/reports', {}, {}],
    ];
  for (const [method, path, url, body, headers] of asked) {
    const response = await (body === null ? h.get(url, headers) : h.post(url, body, { ...json, ...headers }));
    const described = document.paths[path]?.[method]?.responses[String(response.status)];
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    t.ok(described?.content !== undefined && type in described.content, `${method} ${url} ${response.status} ${type}`);
    await response.body?.cancel();
  }
});

t.test('docs/http.md names every address, and every status that a refusal has', async (t) => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/http.md'), 'utf8');
  for (const { name, method, path } of operationsOf(await documentOf(await serve(t)))) {
    const written = path.replace(/\{(\w+)\}/g, (_, parameter: string) => parameter.toUpperCase());
    t.ok(text.includes(`${method.toUpperCase()} ${written}`), name);
  }
  for (const { status } of Object.values(PROBLEMS)) t.match(text, new RegExp(`\\b${status}\\b`), String(status));
});
