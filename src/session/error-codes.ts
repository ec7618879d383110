/**
 * Error replies that went to clients, by their code: the first word. Codes that are none of the servers' or ours (a
 * script can return any word) are counted as `other`, so that there are never more than these.
 */

const KNOWN = [
  'ERR',
  'ASK',
  'BUSY',
  'BUSYGROUP',
  'BUSYKEY',
  'CLUSTERDOWN',
  'CROSSSLOT',
  'DENIED',
  'EXECABORT',
  'INPROG',
  'IOERR',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'MOVED',
  'NOAUTH',
  'NOGOODSLAVE',
  'NOGROUP',
  'NOMASTERLINK',
  'NOPERM',
  'NOPROTO',
  'NOREPLICAS',
  'NOSCRIPT',
  'NOTBUSY',
  'OOM',
  'READONLY',
  'TRYAGAIN',
  'UNBLOCKED',
  'UNKILLABLE',
  'WRONGPASS',
  'WRONGTYPE',
] as const;

const OTHER = 'other';
const LONGEST = Math.max(...KNOWN.map((code) => code.length));
const BLANK = 0x20;
const CR = 0x0d;

export class ErrorCodes {
  total = 0;
  readonly #counts = new Map<string, number>([...KNOWN, OTHER].map((code) => [code, 0]));

  /** Counts the error reply in bytes [start, end), `-` included. */
  count(bytes: Buffer, start: number, end: number): void {
    this.total++;
    let wordEnd = start + 1;
    const limit = Math.min(end, wordEnd + LONGEST + 1);
    while (wordEnd < limit && bytes[wordEnd] !== BLANK && bytes[wordEnd] !== CR) wordEnd++;
    const code = bytes.toString('latin1', start + 1, wordEnd);
    const known = this.#counts.get(code);
    if (known === undefined) this.#counts.set(OTHER, (this.#counts.get(OTHER) ?? 0) + 1);
    else this.#counts.set(code, known + 1);
  }

  /** Code and count, those that never came included. */
  get entries(): [code: string, count: number][] {
    return [...this.#counts];
  }
}
