/**
 * Reads a node's reply to one request and says what is to be done: the session obeys.
 *
 *     no '-'  ───────────────────────────────▶ deliver   (one comparison, the common case)
 *     MOVED, ASK, TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN, READONLY
 *        of a plain command ─────────────────▶ moved │ ask │ retry
 *        of a script or function ────────────▶ confirm: it may have returned the text itself (C4)
 *     NOSCRIPT of that node, to an EVALSHA ──▶ heal (C5)
 *     `Function not found`, to a function ───▶ load_function: the node is asked whether that is true
 *     NOPERM to an EVAL or EVALSHA that we made of the other ──▶ denial: perhaps the other is allowed
 */
import { parseRedirect, type Redirect } from '../cluster/redirect.ts';

/** What of a request matters to the judgement of its reply. */
export interface Judged {
  /** Slot of its keys; ANY_SLOT without keys. */
  readonly slot: number;
  /** A script or function, which can return any text. */
  readonly isCall: boolean;
  /** It went up as FCALL. */
  readonly isFunction: boolean;
  /** It went up as EVALSHA. */
  readonly wentAsEvalsha: boolean;
  /** It went up in another form than it came: EVALSHA for EVAL, or the other way round. */
  readonly isOurForm: boolean;
  /** The reply is that of a witness, which runs nothing. */
  readonly isWitness: boolean;
}

export type Verdict =
  | { readonly kind: 'deliver' }
  /** Send the witness: the reply may be the script's own. */
  | { readonly kind: 'confirm' }
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  /** Refused for now: once more, to whoever owns the slot then. */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly refresh: boolean }
  | { readonly kind: 'heal' }
  /** The node may lack a function that another master has. */
  | { readonly kind: 'load_function' }
  /** The ACL may not allow the form that we chose: ask, as the script may have said so, then send it as it came. */
  | { readonly kind: 'denial' };

const DELIVER: Verdict = Object.freeze({ kind: 'deliver' });
const CONFIRM: Verdict = Object.freeze({ kind: 'confirm' });
const DENIAL: Verdict = Object.freeze({ kind: 'denial' });
const HEAL: Verdict = Object.freeze({ kind: 'heal' });
const LOAD_FUNCTION: Verdict = Object.freeze({ kind: 'load_function' });

/** Redis from 7.0 on, and Valkey (`fcallCommandGeneric` in functions.c). */
const NO_FUNCTION = '-ERR Function not found\r\n';

/** A refusal is short: longer error lines are a script's own. */
const MAX_REFUSAL_BYTES = 512;
const AT_ONCE: Verdict = Object.freeze({ kind: 'retry', afterMs: 10, refresh: false });
const LATER: Verdict = Object.freeze({ kind: 'retry', afterMs: 100, refresh: true });
/** Refusals by their code; a witness gets them too, before it would have run (`processCommand` in Redis's server.c). */
const RETRY: ReadonlyMap<string, Verdict> = new Map([
  ['TRYAGAIN', AT_ONCE],
  ['CLUSTERDOWN', LATER],
  ['LOADING', LATER],
  ['MASTERDOWN', LATER],
  ['READONLY', LATER],
]);

/** `noscript` is the node's own text for a sha that nobody has, CRLF included; undefined while it is not known. */
export function judge(reply: Uint8Array, judged: Judged, noscript: Uint8Array | undefined): Verdict {
  if (reply[0] !== 0x2d || reply.length > MAX_REFUSAL_BYTES) return DELIVER;
  if (judged.wentAsEvalsha && noscript !== undefined && Buffer.compare(reply, noscript) === 0) return HEAL;
  const line = Buffer.from(reply).toString('latin1');
  const code = line.slice(1, line.search(/[ \r]/));
  if (judged.isFunction && line === NO_FUNCTION) return LOAD_FUNCTION;
  if (code === 'MOVED' || code === 'ASK') return judgeRedirect(line, judged);
  if (judged.isOurForm && isDenial(reply)) return DENIAL;
  const retry = RETRY.get(code);
  if (retry === undefined) return DELIVER;
  return judged.isCall && !judged.isWitness ? CONFIRM : retry;
}

/** Whether an ACL refuses the command itself: EVAL, EVALSHA or their read-only forms. */
export function isDenial(reply: Uint8Array): boolean {
  const line = Buffer.from(reply.subarray(0, MAX_REFUSAL_BYTES)).toString('latin1');
  return /^-NOPERM .*'eval(?:sha)?(?:_ro)?' command/.test(line);
}

function judgeRedirect(line: string, judged: Judged): Verdict {
  const redirect = parseRedirect(line);
  if (redirect === undefined || redirect.slot !== judged.slot) return DELIVER;
  return judged.isCall && !judged.isWitness ? CONFIRM : { kind: 'redirect', redirect };
}
