/** One line of progress, for whoever started the lab. */
export type Log = (line: string) => void;

/** A server this machine doesn't have: which one, why the search ended empty, and how a person gets it. */
export interface Missing {
  readonly kind: 'missing';
  readonly missing: string;
  readonly why: string;
  readonly remedy: string;
}

export function isMissing(value: { readonly kind: string }): value is Missing {
  return value.kind === 'missing';
}

export function describeMissing(value: Missing): string {
  return `${value.missing}: not here (${value.why}). ${value.remedy}`;
}
