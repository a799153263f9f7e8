/** What a bearer token may look like (RFC 6750, `b64token`); one with other characters could never be presented. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

export const isBearerToken = (text: string): boolean => TOKEN.test(text);
