import type { EndedLine, LedgerLine, LedgerWriter } from './ledger.ts';

/** What stands between a client and its ledger. */
export interface Bookkeeper {
  readonly sent: (line: Extract<LedgerLine, { event: 'sent' }>) => void;
  readonly ended: (line: EndedLine) => void;
}

export function honest(ledger: LedgerWriter): Bookkeeper {
  return { sent: ledger.append, ended: ledger.append };
}

/** Of so many writes one leaves no trace, and of so many another acknowledgement is invented. */
const FORGET_EVERY = 7;
const INVENT_EVERY = 11;

/**
 * The sabotage `drop-acks`: forgets writes that the database holds, and invents acknowledgements of writes that were
 * never made. An account that doesn't find both is worth nothing.
 */
export function dropsAcks(ledger: LedgerWriter, clientId: string): Bookkeeper {
  const forgotten = new Set<string>();
  let count = 0;
  return {
    sent: (line) => {
      count += 1;
      if (count % FORGET_EVERY === 0) forgotten.add(line.id);
      else ledger.append(line);
    },
    ended: (line) => {
      if (forgotten.delete(line.id)) return;
      ledger.append(line);
      if (line.outcome !== 'acked' || count % INVENT_EVERY !== 0) return;
      ledger.append({ ...line, id: `${clientId}-invented-${count}` });
    },
  };
}
