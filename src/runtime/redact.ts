/**
 * Keeps secrets out of what is written (invariant 24), in three ways: by the name of a field, by the look of a text
 * (a bearer token, a URL with a password), and by value for the secrets this process knows.
 */
import { REDACTED, SecretValue } from './secret.ts';

/** Takes secrets out of a text. */
export type Redact = (text: string) => string;

export type Redactor = {
  /** From now on this value, also in its URL and base64 forms and line by line, is taken out of every text. */
  protect(secret: string | SecretValue): void;
  text: Redact;
  /** A copy of a JSON value without secrets, too long texts and too deep parts. */
  value(value: unknown): unknown;
};

/** Texts are cut here: a log line is read by people, and its length is not for a stranger's webhook to choose. */
const LONGEST_TEXT = 8000;
const DEEPEST = 12;
/** A shorter secret is taken out only where it stands as a word of its own; else it would take every text apart. */
const SHORTEST_PART = 4;
/** Lines of a private key are secrets by themselves; its `}` or a short last line is not worth much and hits often. */
const SHORTEST_LINE = 16;

/** Compared in lower case and without separators, so that `X-Api-Key`, `api_key` and `apiKey` are one. */
const SECRET_FIELD =
  /(?:password|passwd|passphrase|secret|token|authorization|cookie|apikey|privatekey|accesskey|accesskeyid|credentials?|bearer)$/;

/** Bounded everywhere: these run over texts that strangers send. */
const SECRET_LOOKS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s:/?#@]{0,200}):[^\s/?#@]{1,500}@/gi, `$1:${REDACTED}@`],
  [/\b(Bearer|Basic) +(?![a-z]+\b)[\w.~+/=-]{8,}/g, `$1 ${REDACTED}`],
  [/\b((?:ssl)?password|passwd|passphrase|secret|token)=(?:'[^']*'|[^\s&'",;]+)/gi, `$1=${REDACTED}`],
];

const isSecretField = (name: string): boolean => SECRET_FIELD.test(name.toLowerCase().replace(/[-_.\s]/g, ''));

function formsOf(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/).filter((line) => line.length >= SHORTEST_LINE);
  return [secret, secret.trim(), ...lines].flatMap((form) => [
    form,
    encodeURIComponent(form.toWellFormed()),
    Buffer.from(form).toString('base64'),
    Buffer.from(form).toString('base64url'),
  ]);
}

const patternOf = (form: string): string =>
  form.length >= SHORTEST_PART ? RegExp.escape(form) : `(?<![\\p{L}\\p{N}])${RegExp.escape(form)}(?![\\p{L}\\p{N}])`;

/** Takes out these secrets, and what looks like one. */
export function redacting(secrets: readonly SecretValue[]): Redact {
  const redactor = createRedactor();
  for (const secret of secrets) redactor.protect(secret);
  return redactor.text;
}

/** The same for secrets that are renewed while it is used; the ones of before stay out, too. */
export function redactingLive(secrets: { all(): readonly SecretValue[]; onRenewed(call: () => void): void }): Redact {
  const redactor = createRedactor();
  const protectAll = (): void => {
    for (const secret of secrets.all()) redactor.protect(secret);
  };
  protectAll();
  secrets.onRenewed(protectAll);
  return redactor.text;
}

export function createRedactor(): Redactor {
  const forms = new Set<string>();
  let known: RegExp | null = null;

  const text = (whole: string): string => {
    // Known values first and before the cut, which could leave the head of one.
    let clean = known === null ? whole : whole.replace(known, REDACTED);
    if (clean.length > LONGEST_TEXT) clean = `${clean.slice(0, LONGEST_TEXT)}... (${clean.length} characters)`;
    for (const [pattern, replacement] of SECRET_LOOKS) clean = clean.replace(pattern, replacement);
    return clean;
  };

  const field = (name: string, value: unknown, depth: number): unknown =>
    isSecretField(name) && value !== null && typeof value !== 'boolean' ? REDACTED : clean(value, depth);

  const clean = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return text(value);
    // A short secret reads like any small number: a timeline, an epoch, an exit code.
    if (typeof value === 'number')
      return `${value}`.length < SHORTEST_PART || text(`${value}`) === `${value}` ? value : REDACTED;
    if (value === null || typeof value !== 'object') return value;
    if (value instanceof SecretValue) return REDACTED;
    if (depth >= DEEPEST) return '[too deep]';
    if (Array.isArray(value)) return value.map((item) => clean(item, depth + 1));
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [text(name), field(name, item, depth + 1)] as const),
    );
  };

  return {
    protect(secret) {
      const plain = secret instanceof SecretValue ? secret.reveal() : secret;
      for (const form of formsOf(plain)) if (form !== '') forms.add(form);
      if (forms.size === 0) return;
      // The longest first: of two secrets one may begin with the other.
      const patterns = [...forms].sort((a, b) => b.length - a.length).map(patternOf);
      known = new RegExp(patterns.join('|'), 'gu');
    },
    text,
    value: (value) => clean(value, 0),
  };
}
