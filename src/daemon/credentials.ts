/** Credentials that the config names by reference, with their secrets. */
import type { AlertmanagerConfig } from '../model/config.ts';
import type { HttpCredentials } from '../runtime/http-credentials.ts';

/** One of the two, or null where there is neither; a checked config never has both. */
export function credentialsOf(
  bearer: AlertmanagerConfig['bearer'],
  basic: AlertmanagerConfig['basic'],
  secret: (reference: string) => string,
): HttpCredentials | null {
  if (bearer !== undefined) return { kind: 'bearer', token: secret(bearer) };
  if (basic !== undefined) return { kind: 'basic', user: basic.user, password: secret(basic.password) };
  return null;
}
