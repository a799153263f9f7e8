/** Why a history can't be had, with the way out. Nothing was decided or done by then. */
export class HistoryError extends Error {
  readonly remedy: string;
  /** Whether Prometheus understood the question and refused the expression. */
  readonly refused: boolean;
  constructor(message: string, remedy: string, options: ErrorOptions & { readonly refused?: boolean } = {}) {
    super(message, options);
    this.name = 'HistoryError';
    this.remedy = remedy;
    this.refused = options.refused ?? false;
  }
}
