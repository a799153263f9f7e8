/**
 * Forms of text that the configuration is written in. Each says which one it is in `x-form`, so that a text that has
 * another form is answered with the remedy for that form, and the reference can name it.
 */
import Type from 'typebox';
import { Duration, Name as PlainName } from './primitives.ts';

/** What a text must look like; a closed set, known to the loader and to the reference. */
export type Form =
  | 'name'
  | 'duration'
  | 'host-port'
  | 'url'
  | 'control-target'
  | 'secret'
  | 'time-of-day'
  | 'end-of-hours'
  | 'instant'
  | 'cause'
  | 'date'
  | 'matcher'
  | 'digits'
  | 'expression'
  | 'comparison'
  | 'fact-name'
  | 'path'
  | 'absolute-path'
  | 'file';

const form = (form: Form) => ({ 'x-form': form });

export const closed = { additionalProperties: false } as const;
export const described = (description: string) => ({ ...closed, description });
export const says = (description: string) => ({ description });

/** Names that people choose: of regions, groups, components, vantages, people. */
export const Name = Type.String({
  ...PlainName,
  ...form('name'),
});

/** A mapping from names that people choose. */
export const named = <T extends Type.TSchema>(schema: T, description: string, minProperties = 0) =>
  Type.Record(Name, schema, { ...described(description), ...(minProperties === 0 ? {} : { minProperties }) });

/** Names that stand in an expression behind a dot (`metrics.error_ratio`), so a dash would be a minus. */
export const FactName = Type.String({
  ...form('fact-name'),
  pattern: '^[a-z][a-z0-9_]{0,62}$',
  description: 'Lower-case letters, digits, underscores',
});

/** A mapping from names of facts. */
export const namedFacts = <T extends Type.TSchema>(schema: T, description: string) =>
  Type.Record(FactName, schema, { ...described(description), 'x-key-form': 'fact-name' });

export const perRegion = <T extends Type.TSchema>(schema: T, description: string) => named(schema, description, 1);

/** A reference to a value that must have been declared elsewhere in the same file. */
export const reference = (description: string) => Type.String({ minLength: 1, description });

/** A span of time as text; `fallback` is what holds where it is left out. */
export const span = (fallback: string, description: string) =>
  Type.Optional(Type.Unsafe<string>({ ...Duration, ...form('duration'), description, default: fallback }));
export const spanWithoutDefault = (description: string) => Type.Optional(requiredSpan(description));
export const requiredSpan = (description: string) =>
  Type.Unsafe<string>({ ...Duration, ...form('duration'), description });

/**
 * Exactly one reference, `${env:NAME}` or `${file:PATH}`: the file that people read, review and keep under version
 * control never holds the secret itself (invariant 24).
 */
export const secret = (description: string) =>
  Type.String({
    ...form('secret'),
    pattern: '^\\$\\{(?:env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}]+)\\}$',
    description,
    'x-secret': true,
  });

/** A file in PEM, read at the start and again whenever it changes; `x-file` has it checked as such. */
export const pemFile = (description: string) =>
  Type.String({ ...form('file'), pattern: '^[^{}$\\x00-\\x1f]+$', description, 'x-file': true });

/** Certificates of a connection that failoverd opens over TLS. */
export const tlsClient = (to: string) =>
  Type.Object(
    {
      ca: Type.Optional(pemFile('Certificates to trust instead of the system’s (PEM)')),
      cert: Type.Optional(pemFile('Certificate that is shown, with its chain (PEM); with key')),
      key: Type.Optional(secret('Private key of that certificate (PEM); with cert')),
    },
    { ...described(`Certificates of connections to ${to}`), minProperties: 1 },
  );

const HOST_PORT = '(?:\\[[0-9A-Fa-f:.]+\\]|[^:/@\\s\\[\\]]+):\\d{1,5}';
export const hostPort = (description: string) =>
  Type.String({ ...form('host-port'), pattern: `^${HOST_PORT}$`, description });
export const url = (description: string) =>
  Type.String({ ...form('url'), pattern: '^https?://[^\\s/]+(?:/\\S*)?$', description });
export const ControlTarget = Type.String({
  ...form('control-target'),
  pattern: `^(?:tcp://${HOST_PORT}|https?://[^\\s/]+(?:/\\S*)?)$`,
  description: 'tcp://host:port, which must accept a connection, or an http or https URL, which must answer at all',
});
/** A path on this machine that says where it begins: programs are started in folders of their own. */
export const absolutePath = (description: string) =>
  Type.String({ ...form('absolute-path'), pattern: '^/[^{}\\x00-\\x1f]*$', description });
export const digits = (description: string) => Type.String({ ...form('digits'), pattern: '^\\d{10,20}$', description });
export const timeOfDay = (description: string) =>
  Type.String({ ...form('time-of-day'), pattern: '^([01]\\d|2[0-3]):[0-5]\\d$', description });
/** `24:00` is the end of the day, which no clock shows and every shift plan does. */
/** RFC 3339 with its zone: what the clock of some place shows means nothing elsewhere. */
export const Instant = (description: string) =>
  Type.String({
    ...form('instant'),
    pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(?::\\d{2})?(?:Z|[+-]\\d{2}:\\d{2})$',
    description: `${description}, such as 2026-12-05T22:00:00+01:00`,
  });
export const endOfHours = (description: string) =>
  Type.String({ ...form('end-of-hours'), pattern: '^(([01]\\d|2[0-3]):[0-5]\\d|24:00)$', description });
export const CalendarDate = Type.String({
  ...form('date'),
  pattern: '^\\d{4}-\\d{2}-\\d{2}$',
  description: 'A day, such as 2026-12-25',
});
export const urlPath = (description: string) => Type.String({ ...form('path'), pattern: '^/\\S*$', description });
/** Equality only: a regular expression from a config would run on text that strangers send. */
export const Matcher = Type.String({
  ...form('matcher'),
  pattern: '^[a-zA-Z_][a-zA-Z0-9_]*(=|!=)"[^"\\\\]*"$',
  description: 'A matcher by equality, such as alertname="RegionDown" or severity!="info"',
});

/** Which numbers are meant, such as `> 0.05`. */
export const Comparison = Type.String({
  ...form('comparison'),
  pattern: '^(?:[<>]=?|[=!]=) ?-?\\d{1,15}(?:\\.\\d{1,15})?$',
});

export const basic = (description: string) =>
  Type.Object(
    {
      user: Type.String({ minLength: 1, description: 'Name, without a colon' }),
      password: secret('Password'),
    },
    described(description),
  );

export const argv = (description: string) =>
  Type.Array(Type.String({ minLength: 1 }), {
    minItems: 1,
    description: `${description}: a program and its arguments, run without a shell; \${REGION} stands for the region meant`,
  });
