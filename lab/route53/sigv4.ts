import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { ApiError } from './errors.ts';

/**
 * AWS Signature Version 4, verified for real: a client with a wrong secret, a changed body or a clock more than five
 * minutes off is turned away as the real service does it. The region in the scope is taken as it comes, since an SDK
 * pointed at an endpoint of its own signs for the region it was configured with, not for us-east-1.
 */

export interface SignedRequest {
  readonly method: string;
  /** As on the request line, still percent-encoded, with the query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

interface Authorization {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const algorithm = 'AWS4-HMAC-SHA256';
const maxSkewMs = 5 * 60_000;
const service = 'route53';

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();

function headerOf(request: SignedRequest, name: string): string | null {
  const value = request.headers[name];
  return value === undefined ? null : Array.isArray(value) ? value.join(',') : value;
}

function parseAuthorization(header: string): Authorization {
  const fields =
    /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(
      header.trim(),
    );
  const [accessKeyId, date, region, scopeService, end] = fields?.[1]?.split('/') ?? [];
  if (accessKeyId === undefined || date === undefined || region === undefined || end !== 'aws4_request') {
    throw new ApiError('IncompleteSignature', `Authorization header '${algorithm}' form is not complete.`);
  }
  return {
    accessKeyId,
    date,
    region,
    service: scopeService ?? '',
    signedHeaders: fields?.[2]?.split(';') ?? [],
    signature: fields?.[3] ?? '',
  };
}

const strictEncode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

/** The path is encoded once more than it was on the wire; only S3 does otherwise. */
function canonicalPath(path: string): string {
  return path.split('/').map(strictEncode).join('/');
}

function canonicalQuery(query: string): string {
  const pairs = [...new URLSearchParams(query)].map(
    ([name, value]) => [strictEncode(name), strictEncode(value)] as const,
  );
  const order = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);
  return pairs
    .sort(
      ([leftName, leftValue], [rightName, rightValue]) => order(leftName, rightName) || order(leftValue, rightValue),
    )
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[]): string {
  const [path = '/', query = ''] = request.target.split('?', 2);
  const headers = signedHeaders.map(
    (name) => `${name}:${(headerOf(request, name) ?? '').trim().replace(/\s+/g, ' ')}\n`,
  );
  return [
    request.method,
    canonicalPath(path),
    // A plus sign in a query is a plus sign here, not a space.
    canonicalQuery(query.replaceAll('+', '%2B')),
    headers.join(''),
    signedHeaders.join(';'),
    sha256(request.body),
  ].join('\n');
}

function expectedSignature(
  request: SignedRequest,
  authorization: Authorization,
  amzDate: string,
  secret: string,
): string {
  const { date, region } = authorization;
  const scope = [date, region, authorization.service, 'aws4_request'].join('/');
  const toSign = [algorithm, amzDate, scope, sha256(canonicalRequest(request, authorization.signedHeaders))].join('\n');
  const key = [date, region, authorization.service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, toSign).toString('hex');
}

function parseAmzDate(amzDate: string): number {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(amzDate);
  const [, year, month, day, hour, minute, second] = match ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function checkDate(amzDate: string, nowMs: number): void {
  const signedAtMs = parseAmzDate(amzDate);
  if (Number.isNaN(signedAtMs)) throw new ApiError('IncompleteSignature', 'Date must be in ISO-8601 basic format');
  if (Math.abs(nowMs - signedAtMs) <= maxSkewMs) return;
  const now = new Date(nowMs).toISOString();
  const relation = signedAtMs < nowMs ? 'Signature expired' : 'Signature not yet current';
  throw new ApiError('SignatureDoesNotMatch', `${relation}: ${amzDate} is more than 5 min. away from ${now}`);
}

/** Throws the error Route 53 gives for a request that isn't signed by `credentials`. */
export function verifySignature(request: SignedRequest, credentials: Credentials, nowMs: number): void {
  const header = headerOf(request, 'authorization');
  if (header === null) throw new ApiError('MissingAuthenticationToken', 'Missing Authentication Token');
  const authorization = parseAuthorization(header);
  const token = headerOf(request, 'x-amz-security-token');
  if (authorization.accessKeyId !== credentials.accessKeyId || token !== (credentials.sessionToken ?? null)) {
    throw new ApiError('InvalidClientTokenId', 'The security token included in the request is invalid.');
  }
  const amzDate = headerOf(request, 'x-amz-date') ?? '';
  checkDate(amzDate, nowMs);
  if (authorization.service !== service) {
    throw new ApiError('SignatureDoesNotMatch', `Credential should be scoped to correct service: '${service}'.`);
  }
  const needed = ['host', 'x-amz-date'].filter((name) => !authorization.signedHeaders.includes(name));
  const given = Buffer.from(authorization.signature, 'hex');
  const expected = Buffer.from(expectedSignature(request, authorization, amzDate, credentials.secretAccessKey), 'hex');
  if (needed.length > 0 || !amzDate.startsWith(authorization.date) || !timingSafeEqual(given, expected)) {
    throw new ApiError(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
}
