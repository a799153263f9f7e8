/** A failure as Route 53 reports it: HTTP status, closed code, and the words it uses. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: ApiErrorCode;

  constructor(code: ApiErrorCode, message: string) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.status = statusOf[code];
  }
}

const statusOf = {
  HealthCheckAlreadyExists: 409,
  HealthCheckVersionMismatch: 409,
  IncompleteSignature: 400,
  InternalFailure: 500,
  InvalidChangeBatch: 400,
  InvalidClientTokenId: 403,
  InvalidInput: 400,
  MalformedInput: 400,
  MissingAuthenticationToken: 403,
  NoSuchChange: 404,
  NoSuchHealthCheck: 404,
  NoSuchHostedZone: 404,
  PriorRequestNotComplete: 400,
  RequestEntityTooLarge: 413,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  Throttling: 400,
  UnknownOperationException: 404,
} as const;

export type ApiErrorCode = keyof typeof statusOf;

/** Several complaints about one batch come back as one list in brackets. */
export function invalidChangeBatch(messages: readonly string[]): ApiError {
  return new ApiError('InvalidChangeBatch', `[${messages.join(', ')}]`);
}

export function invalidInput(message: string): ApiError {
  return new ApiError('InvalidInput', message);
}
