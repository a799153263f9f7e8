/**
 * What a route may answer, for the description of the API: what it says when it goes well, and every refusal by its code.
 * Fastify is given nothing to serialise by: answers leave as they are made.
 */
import Type, { type TSchema } from 'typebox';
import { PROBLEMS, Problem, type ProblemCode } from './problem.ts';

export type Described = {
  readonly description: string;
  readonly type: string;
  readonly schema: TSchema;
};

const text = Type.String();
export const asText = (description: string, type = 'text/plain'): Described => ({ description, type, schema: text });
export const asJson = (description: string, schema: TSchema): Described => ({
  description,
  type: 'application/json',
  schema,
});

/** Any request may be no HTTP, be one too many, or find a defect of ours. */
const ALWAYS: readonly ProblemCode[] = ['malformed-request', 'too-many-requests', 'internal'];
/** What a request with a body may be refused for besides. */
export const BODY: readonly ProblemCode[] = [
  'malformed-json',
  'too-deep',
  'too-large',
  'unsupported-media-type',
  'invalid',
];

/** The answers of one route, by status. Several of one status are told apart by their type. */
export function answers(
  well: Readonly<Record<number, Described | readonly Described[]>>,
  refusals: readonly ProblemCode[],
) {
  const described: Record<string, object> = {};
  for (const [status, one] of Object.entries(well)) {
    const all: readonly Described[] = 'length' in one ? one : [one];
    described[status] = {
      description: all.map(({ description }) => description).join(', or '),
      content: Object.fromEntries(all.map(({ type, schema }) => [type, { schema }])),
    };
  }
  const codes = new Set([...ALWAYS, ...refusals]);
  for (const [status, some] of Map.groupBy(codes, (code) => PROBLEMS[code].status))
    described[status] = {
      description: some.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('. '),
      content: { 'application/problem+json': { schema: Problem } },
    };
  return described as unknown;
}
