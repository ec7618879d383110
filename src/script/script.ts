/**
 * A script that evalgate knows: its body, its name, and what was learned about it.
 *
 * `origin` decides how the body is sent to a node (C5): a script that came by SCRIPT LOAD or preload is loaded there
 * for good, one that came by EVAL only by EVAL, so that the node may evict it as it would without us.
 */
import type { Report } from '../lua/report.ts';
import { lowerCaseByte } from '../resp/bytes.ts';
import type { ScriptUsage } from './script-usage.ts';
import { type Sha, shaOf } from './sha.ts';

export type Origin = 'load' | 'eval';

/** What a script costs beside its body: the object, its entries in the maps, and its sha. Counted against the limit. */
export const SCRIPT_OVERHEAD_BYTES = 512;

/** What the Lua checks found out about a body, held by the registry or not. */
export interface Checked {
  readonly sha: Sha;
  readonly report: Report;
}

export class Script {
  readonly sha: Sha;
  /** The sha as the 40 bytes that stand in a request. */
  readonly shaBytes: Buffer;
  readonly body: Buffer;
  /** Small and re-used: names the script in the marks of a connection. -1 once it was forgotten. */
  number: number;
  origin: Origin;
  /**
   * Never sent as EVALSHA: its own reply may look like a node's NOSCRIPT, because the text stands in its body or was
   * seen as its reply to EVAL.
   */
  mimicsNoscript: boolean;
  /**
   * A node ran the body for somebody, so it was allowed to come: only then is it loaded for users who may not send
   * bodies themselves. What came by SCRIPT LOAD was accepted by that.
   */
  isAccepted: boolean;
  /** The time of the registry when it was taken in: what is older than the last flush is void. */
  epoch = 0;
  /** It was used again after it was learned (EVAL origin only). */
  isReused = false;
  /** What the Lua checks found, and who judged: another judge judges anew. */
  checked: Checked | undefined = undefined;
  judgedBy: object | undefined = undefined;
  /** Its calls; undefined before the first. */
  usage: ScriptUsage | undefined = undefined;
  /** Neighbours in the registry's order of use. */
  newer: Script | undefined = undefined;
  older: Script | undefined = undefined;
  /** Index among the bodies of its length, so that a crowd of them is left in constant time. */
  place = 0;
  /** Next script whose sha begins alike. */
  next: Script | undefined = undefined;

  constructor(body: Buffer, sha: Sha, origin: Origin) {
    this.body = body;
    this.sha = sha;
    this.shaBytes = Buffer.from(sha, 'latin1');
    this.origin = origin;
    this.number = -1;
    this.isAccepted = origin === 'load';
    this.mimicsNoscript = body.includes('NOSCRIPT');
  }

  /** What the script counts against `registry_max_bytes`. */
  get bytes(): number {
    return this.body.length + SCRIPT_OVERHEAD_BYTES;
  }

  /** Whether its name is the sha that stands in bytes [start, start + 40), in any case. */
  isNamed(bytes: Uint8Array, start: number): boolean {
    const sha = this.shaBytes;
    for (let i = 0; i < sha.length; i++) {
      if (sha[i] !== lowerCaseByte(bytes[start + i] as number)) return false;
    }
    return true;
  }
}

/** A script from a body that may be borrowed: the bytes are copied. */
export function scriptFromBody(body: Uint8Array, origin: Origin, sha: Sha = shaOf(body)): Script {
  const copy = Buffer.allocUnsafeSlow(body.length);
  copy.set(body);
  return new Script(copy, sha, origin);
}
