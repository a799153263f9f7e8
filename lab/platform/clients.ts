import { type BusyBackend, startBusyBackend } from '../client/busy-backend.ts';
import { startClient, type TrafficClient } from '../client/client.ts';
import { PUBLIC_NAME, REGION } from '../config.ts';
import type { Endings } from './endings.ts';
import type { LabFolder } from './folder.ts';
import type { Address } from './network.ts';

/** Who writes to the platform, and the ledgers of what they were told. */
export interface Clients {
  /** Writes to whatever the public name answers. */
  readonly public: TrafficClient;
  /** A further client, at one address whatever the name says. */
  readonly local: (clientId: string) => TrafficClient;
  /** A client of A's database itself, whose one statement commits on and on. */
  readonly busy: (clientId: string) => Promise<BusyBackend>;
  readonly ledgers: () => readonly string[];
  readonly stop: () => Promise<void>;
}

export interface ClientsOptions {
  readonly folder: LabFolder;
  readonly endings: Endings;
  readonly publicPort: number;
  readonly resolvers: readonly string[];
  /** A's service, for who stands beside it. */
  readonly beside: Address;
  /** A's database, as the application reaches it. */
  readonly database: Address & { readonly password: string };
  /** Sabotage: ledgers that lie. */
  readonly dropAcks: boolean;
}

/** Of a busy backend, which nobody but a guard ends: some two minutes of them. */
const MOST_COMMITS = 4_000;

export async function startClients(options: ClientsOptions): Promise<Clients> {
  const { folder, resolvers, dropAcks, publicPort: port } = options;
  const clients: { readonly ledgerFile: string; readonly stop: () => Promise<unknown> }[] = [];
  const begin = (settings: Omit<Parameters<typeof startClient>[0], 'dropAcks' | 'ledgerFile'>): TrafficClient => {
    options.endings.stillOpen();
    const ledgerFile = folder.out(`ledger-${settings.clientId}.jsonl`);
    const made = startClient({ ...settings, ledgerFile, dropAcks });
    clients.push(made);
    return made;
  };
  const stop = async (): Promise<void> => {
    for (const each of clients) await each.stop();
  };
  await options.endings.add('clients', stop);
  return {
    public: begin({
      clientId: 'public',
      target: { kind: 'name', name: PUBLIC_NAME, port, resolvers },
      ratePerSecond: 40,
    }),
    local: (clientId) => begin({ clientId, target: { kind: 'address', ...options.beside }, ratePerSecond: 20 }),
    busy: async (clientId) => {
      options.endings.stillOpen();
      const ledgerFile = folder.out(`ledger-${clientId}.jsonl`);
      const { host, port, password } = options.database;
      const postgres = { host, port, user: 'app', password };
      const made = await startBusyBackend({ clientId, region: REGION.a, ledgerFile, postgres, most: MOST_COMMITS });
      clients.push({ ledgerFile, stop: made.stop });
      return made;
    },
    ledgers: () => clients.map((each) => each.ledgerFile),
    stop,
  };
}
