/**
 * Witness reports: what a witness signs and the daemon opens (design §2). The signature is Ed25519 over the very bytes of
 * the body, so that nothing has to be put into one form before it is checked.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { type Observation, WitnessReport } from '../model/evidence.ts';
import type { VantageId, WallMs } from '../model/primitives.ts';
import type { Clock } from '../runtime/clock.ts';

/** Where witnesses post: a signed body; 204 = taken, anything else a problem document. */
export const REPORT_PATH = '/api/v1/witness/reports';
export const SIGNATURE_HEADER = 'failoverd-signature';

/** A body longer than this is refused unread. Witnesses cut their batches to fit. */
export const REPORT_LIMIT_BYTES = 512 * 1024;

/** How far the two wall clocks may be apart. Wider than good clocks ever are, narrower than anybody's patience with old news. */
export const CLOCK_LIMIT_MS = 30_000;

const SCHEME = 'ed25519=';
const SIGNATURE_BYTES = 64;
const RAW_KEY_BYTES = 32;

/** Why a report was not taken. Nothing is changed by one that wasn't. */
export type ReportRefusal =
  | { readonly code: 'bad-json'; readonly message: string }
  | { readonly code: 'schema'; readonly message: string }
  | { readonly code: 'unknown-witness'; readonly message: string }
  | { readonly code: 'bad-signature'; readonly message: string }
  /** Signed for another session of the daemon: `session` is what to sign for. */
  | { readonly code: 'wrong-session'; readonly message: string; readonly session: string }
  /** Not above the last one taken: `lastSequence` is that. */
  | {
      readonly code: 'replayed';
      readonly message: string;
      readonly session: string;
      readonly lastSequence: number;
    }
  | { readonly code: 'clock'; readonly message: string }
  | { readonly code: 'foreign-vantage'; readonly message: string };
export type ReportErrorCode = ReportRefusal['code'];

export type OpenedReport =
  | { readonly kind: 'opened'; readonly report: WitnessReport }
  | ({ readonly kind: 'refused' /** As far as it is proven. */; readonly vantage: VantageId | null } & ReportRefusal);

export type ReportExpectation = {
  /** The daemon's own, new at each of its starts. */
  readonly session: string;
  /** The highest sequence taken from this vantage in this session; 0 = none yet. */
  readonly lastSequence: (vantage: VantageId) => number;
  readonly now: WallMs;
};

export type SignedReport = {
  readonly body: Uint8Array<ArrayBuffer> /** Value of {@link SIGNATURE_HEADER}. */;
  readonly signature: string;
};

export function signReport(report: WitnessReport, privateKey: KeyObject): SignedReport {
  const body = new TextEncoder().encode(JSON.stringify(report));
  return { body, signature: `${SCHEME}${sign(null, body, privateKey).toString('base64')}` };
}

/** Compiled for the first report, so that a start doesn't pay for it. */
let compiled: ReturnType<typeof Compile<typeof WitnessReport>> | null = null;
function schema(): NonNullable<typeof compiled> {
  compiled ??= Compile(WitnessReport);
  return compiled;
}

/**
 * Checks a report as it came in: who says it is from whom, then the signature, then all the rest, so that nobody but a
 * witness learns what is wrong with a body. Never throws, whatever the bytes are.
 */
export function openReport(
  raw: Uint8Array,
  signature: string | undefined,
  publicKeys: ReadonlyMap<VantageId, KeyObject>,
  expected: ReportExpectation,
): OpenedReport {
  const refuse = (refusal: ReportRefusal, vantage: VantageId | null = null): OpenedReport => {
    return { kind: 'refused', vantage, ...refusal };
  };
  if (raw.byteLength > REPORT_LIMIT_BYTES) {
    return refuse({ code: 'schema', message: `a report holds at most ${REPORT_LIMIT_BYTES} bytes` });
  }
  const parsed = parse(raw);
  if (parsed.kind === 'failed') return refuse({ code: 'bad-json', message: parsed.message });
  const vantage = vantageOf(parsed.value);
  if (vantage === null) return refuse({ code: 'schema', message: '/vantage: must be the name of a vantage' });
  const key = publicKeys.get(vantage);
  if (key === undefined) {
    return refuse({ code: 'unknown-witness', message: `no public key is configured for a vantage of this name` });
  }
  if (!isSignedBy(raw, signature, key)) {
    return refuse({
      code: 'bad-signature',
      message: `${SIGNATURE_HEADER} is not this vantage’s signature of the body`,
    });
  }
  if (!schema().Check(parsed.value)) return refuse({ code: 'schema', message: firstError(parsed.value) }, vantage);
  const refusal = refusalOf(parsed.value, expected);
  return refusal === null ? { kind: 'opened', report: parsed.value } : refuse(refusal, vantage);
}

export type ReportDesk = {
  readonly session: string;
  open(body: Uint8Array, signature: string | undefined): OpenedReport;
};

/** Opens reports for one life of the daemon, and remembers the last sequence taken from each witness. */
export function createReportDesk(options: {
  readonly session: string;
  readonly keys: ReadonlyMap<VantageId, KeyObject>;
  readonly clock: Clock;
}): ReportDesk {
  const { session, keys, clock } = options;
  const sequences = new Map<VantageId, number>();
  const lastSequence = (vantage: VantageId): number => sequences.get(vantage) ?? 0;
  return {
    session,
    open(body, signature) {
      const opened = openReport(body, signature, keys, { session, lastSequence, now: clock.wall() });
      if (opened.kind === 'opened') sequences.set(opened.report.vantage, opened.report.sequence);
      return opened;
    },
  };
}

/** What an observation speaks of, by the names that are looked up. */
const namesOf = (observation: Observation): readonly string[] =>
  'component' in observation ? [observation.group, observation.component, observation.region] : [];

/** What every object answers to (`constructor`): no config has such a name, and a lookup by it finds what nobody put there. */
const isInherited = (name: string): boolean => name in Object.prototype;

/** What stands against a report that is well-formed and authentic. */
function refusalOf(report: WitnessReport, { session, lastSequence, now }: ReportExpectation): ReportRefusal | null {
  if (report.session !== session) {
    return { code: 'wrong-session', message: 'signed for another session of this daemon', session };
  }
  const last = lastSequence(report.vantage);
  if (report.sequence <= last) {
    const message = `sequence ${report.sequence} is not above ${last}, the last one taken`;
    return { code: 'replayed', message, session, lastSequence: last };
  }
  // An observation counts from when it is taken in here, so one that was old when it was sent would count as new.
  const instants = [report.sentAt, ...report.observations.map((observation) => observation.at)];
  const farthestMs = Math.max(...instants.map((at) => Math.abs(at - now)));
  if (farthestMs > CLOCK_LIMIT_MS) {
    const message = `a time in the report is ${Math.round(farthestMs / 1000)} s away from this daemon’s clock`;
    return { code: 'clock', message };
  }
  const misnamed = report.observations.findIndex((observation) => namesOf(observation).some(isInherited));
  if (misnamed >= 0) {
    return { code: 'schema', message: `/observations/${misnamed}: no group, component or region has this name` };
  }
  const index = report.observations.findIndex((observation) => observation.vantage !== report.vantage);
  if (index >= 0) {
    return { code: 'foreign-vantage', message: `/observations/${index}/vantage: speaks for another vantage` };
  }
  return null;
}

type Parsed =
  | { readonly kind: 'parsed'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly message: string };

function parse(raw: Uint8Array): Parsed {
  try {
    return { kind: 'parsed', value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw)) };
  } catch {
    // The parser's own message quotes what was sent.
    return { kind: 'failed', message: 'the body is not JSON in UTF-8' };
  }
}

function vantageOf(value: unknown): VantageId | null {
  if (typeof value !== 'object' || value === null || !('vantage' in value)) return null;
  return typeof value.vantage === 'string' ? value.vantage : null;
}

function isSignedBy(raw: Uint8Array, header: string | undefined, key: KeyObject): boolean {
  if (header === undefined || !header.startsWith(SCHEME)) return false;
  const signature = Buffer.from(header.slice(SCHEME.length), 'base64');
  return signature.length === SIGNATURE_BYTES && verify(null, raw, key, signature);
}

function firstError(value: unknown): string {
  const [error] = schema().Errors(value);
  return error === undefined ? 'not a report' : `${error.instancePath || '/'}: ${error.message}`;
}

/** The key as the config holds it, and the one to keep, in PEM (PKCS #8). */
export type WitnessKeys = { readonly publicKey: string; readonly privateKeyPem: string };

export function generateKeys(): WitnessKeys {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: publicKeyText(publicKey),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Raw 32 bytes in base64, as the config holds it, of a public key or of the private one. */
export function publicKeyText(key: KeyObject): string {
  const { x } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  return Buffer.from(x ?? '', 'base64url').toString('base64');
}

/** Reads a public key from the config. Throws a RangeError on text that is none: `failoverd check` finds it. */
export function readPublicKey(text: string): KeyObject {
  const raw = Buffer.from(text, 'base64');
  // Decoding skips what is no base64; a key that was cut or doubled in copying has to be noticed.
  if (raw.length !== RAW_KEY_BYTES || raw.toString('base64') !== text)
    throw new RangeError('a public key is 32 bytes in base64');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' });
}

/** Reads a private key in PEM. Throws a RangeError on anything but Ed25519; its message holds nothing of the text. */
export function readPrivateKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new RangeError('not a private key in PEM');
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new RangeError('not an Ed25519 key');
  return key;
}

/** The public keys of all witnesses of a config. */
export function witnessKeys(
  vantages: Readonly<Record<VantageId, { readonly publicKey?: string }>>,
): ReadonlyMap<VantageId, KeyObject> {
  const keys = new Map<VantageId, KeyObject>();
  for (const [vantage, { publicKey }] of Object.entries(vantages)) {
    if (publicKey !== undefined) keys.set(vantage, readPublicKey(publicKey));
  }
  return keys;
}
