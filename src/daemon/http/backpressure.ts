/**
 * How many webhooks and reports may be under way at once. One more is answered 503, which Alertmanager and witnesses take
 * for *soon again*; a queue without an end would only answer later than anybody waits, and grow until memory is short.
 */
export type Gate = {
  /** Lets one in, with the bytes it says it has; null where there is no room. What is given back lets it out, once. */
  enter(bytes: number): (() => void) | null;
};

export function createGate({ most, mostBytes }: { readonly most: number; readonly mostBytes: number }): Gate {
  let inside = 0;
  let insideBytes = 0;
  return {
    enter(bytes) {
      // A single one always finds room, however large: its own limit is the one of its route.
      if (inside >= most || (inside > 0 && insideBytes + bytes > mostBytes)) return null;
      inside += 1;
      insideBytes += bytes;
      let left = false;
      return () => {
        if (left) return;
        left = true;
        inside -= 1;
        insideBytes -= bytes;
      };
    },
  };
}

/** What a sender says of its body's length; `otherwise` where it says nothing, as with chunks. */
export function declaredBytes(contentLength: string | undefined, otherwise: number): number {
  const bytes = Number(contentLength);
  return contentLength !== undefined && Number.isSafeInteger(bytes) && bytes >= 0
    ? Math.min(bytes, otherwise)
    : otherwise;
}
