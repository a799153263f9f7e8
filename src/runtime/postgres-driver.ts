/**
 * The PostgreSQL driver, loaded when the first connection is made: a daemon takes webhooks before it needs one. At once
 * and not as a promise, so that nothing comes between asking for a connection and the signal that ends it.
 */
import { createRequire } from 'node:module';
import type pg from 'pg';

const load: (name: 'pg') => typeof pg = createRequire(import.meta.url);

let driver: typeof pg | null = null;

export function postgresDriver(): typeof pg {
  driver ??= load('pg');
  return driver;
}

/** The server answered with an error; its SQLSTATE is the `code`. */
export const isServerError = (error: unknown): error is pg.DatabaseError =>
  // Nobody had an answer before there was a driver.
  driver !== null && error instanceof driver.DatabaseError;
