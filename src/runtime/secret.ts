/**
 * A secret that can't be printed by accident: strings, JSON, templates and `util.inspect` all give a placeholder; only
 * {@link SecretValue.reveal} gives the value (invariant 24).
 */
import { inspect } from 'node:util';

export const REDACTED = '[redacted]';

export class SecretValue {
  #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that sends or compares it. */
  reveal(): string {
    return this.#value;
  }

  /** The secret was renewed: whoever holds this reveals the new one from now on. */
  renew(value: string): void {
    this.#value = value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
