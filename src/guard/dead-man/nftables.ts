/**
 * Rules that cut clients off when nobody renews: an element of a set that expires by itself, in the kernel. A help, and no
 * proof: what goes on inside the server, and on its socket, goes on (safety.md, "The dead-man").
 */
export type NftablesOptions = {
  readonly table: string;
  readonly port: number;
  /** H. */
  readonly afterMs: number;
};

/** For `nft -f -`. */
export function nftablesRules({ table, port, afterMs }: NftablesOptions): string {
  const seconds = Math.floor(afterMs / 1000);
  return [
    '# Once, with `nft -f`. Established connections are cut too: nothing before this chain may accept them.',
    `table inet ${table} {`,
    '  set renewed {',
    '    type inet_service',
    `    timeout ${seconds}s`,
    '  }',
    '  chain postgres {',
    '    type filter hook input priority -10; policy accept;',
    `    iif "lo" accept`,
    `    tcp dport ${port} tcp dport != @renewed drop`,
    '  }',
    '}',
    '# At each good renewal, in one transaction: an element that is there is not made younger by adding it again.',
    `#   nft -f - <<EOF`,
    `#   add element inet ${table} renewed { ${port} }`,
    `#   delete element inet ${table} renewed { ${port} }`,
    `#   add element inet ${table} renewed { ${port} timeout ${seconds}s }`,
    `#   EOF`,
    '',
  ].join('\n');
}
