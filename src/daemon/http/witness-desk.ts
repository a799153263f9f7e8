/**
 * What the HTTP face needs of whoever opens reports of witnesses (`probes/report.ts`, put in by the composition root):
 * the signature, the session, the sequence and the clock are judged there, for one life of the daemon.
 */
import type { WitnessReport } from '../../model/evidence.ts';

export const REPORT_PATH = '/api/v1/witness/reports';
export const SIGNATURE_HEADER = 'failoverd-signature';
export const REPORT_LIMIT_BYTES = 512 * 1024;

export type DeskCode =
  | 'bad-json'
  | 'schema'
  | 'unknown-witness'
  | 'bad-signature'
  | 'wrong-session'
  | 'replayed'
  | 'clock'
  | 'foreign-vantage';

export type DeskAnswer =
  | { readonly kind: 'opened'; readonly report: WitnessReport }
  | {
      readonly kind: 'refused';
      /** Who sent it, as far as that is proven. */
      readonly vantage: string | null;
      readonly code: DeskCode;
      readonly message: string;
      /** What a witness needs to know to send the next one. */
      readonly session?: string;
      readonly lastSequence?: number;
    };

export type WitnessDesk = {
  open(body: Uint8Array, signature: string | undefined): DeskAnswer;
};
