/**
 * Reports of corruption and accidental deletion, by people (dr-strategy §3.2, §3.3). A report stands in the way of the
 * actions that the matrix's vetoes name until somebody clears it.
 */
import Type from 'typebox';
import { Report } from '../../model/events.ts';
import { Name, type Role } from '../../model/primitives.ts';
import type { App } from './context.ts';
import { describeOrder, type OrderDesk } from './order-desk.ts';

const closed = { additionalProperties: false } as const;
const What = Type.String({ minLength: 3, maxLength: 500, description: 'What was seen, for the journal and the page' });
const Why = Type.String({ minLength: 3, maxLength: 500, description: 'Why it no longer stands, for the journal' });
const Make = Type.Object({ report: Report, what: What }, closed);
const Clear = Type.Object({ reason: Why }, closed);
const OfGroup = Type.Object({ group: Name });
const OfReport = Type.Object({ group: Name, report: Report });

const MAY_REPORT: readonly Role[] = ['sre', 'dba', 'vp', 'executive'];
const MAY_CLEAR: readonly Role[] = ['sre', 'dba'];

const Made = Type.Object({ group: Name, report: Report, status: Type.Enum(['reported', 'already-reported']) });
const Cleared = Type.Object({ group: Name, report: Report, status: Type.Literal('cleared') });

export function reportRoutes(app: App, desk: OrderDesk): void {
  app.post(
    '/api/v1/groups/:group/reports',
    {
      onRequest: desk.only(MAY_REPORT),
      onResponse: desk.counted('report'),
      schema: {
        summary: 'Report corruption or an accidental deletion',
        tags: ['reports'],
        ...describeOrder('report', Made),
        params: OfGroup,
        body: Make,
      },
    },
    (request, reply) =>
      desk.give(request, reply, request.params.group, {
        kind: 'report',
        group: request.params.group,
        report: request.body.report,
        what: request.body.what,
      }),
  );
  app.post(
    '/api/v1/groups/:group/reports/:report/clear',
    {
      onRequest: desk.only(MAY_CLEAR),
      onResponse: desk.counted('clear-report'),
      schema: {
        summary: 'Say that a report no longer stands',
        tags: ['reports'],
        ...describeOrder('clearReport', Cleared),
        params: OfReport,
        body: Clear,
      },
    },
    (request, reply) =>
      desk.give(request, reply, request.params.group, {
        kind: 'clear-report',
        group: request.params.group,
        report: request.params.report,
        why: request.body.reason,
      }),
  );
}
