import { createLink, type Link, type LinkName } from './link.ts';

export type { Direction } from './connection.ts';
export type { Forward, ForwardOptions, Link, LinkCounters, LinkName, LinkState } from './link.ts';

export interface Links {
  /** The link of that name, made at first mention. */
  link(name: LinkName): Link;
  all(): readonly Link[];
  close(): Promise<void>;
}

/** The network paths of a lab, by name: `B->A` is what B uses to reach A. */
export function createLinks(): Links {
  const links = new Map<LinkName, Link>();
  return {
    link(name) {
      const known = links.get(name);
      if (known !== undefined) return known;
      const created = createLink(name);
      links.set(name, created);
      return created;
    },
    all: () => [...links.values()],
    async close() {
      await Promise.all([...links.values()].map((link) => link.close()));
    },
  };
}
