/**
 * Notices when a client writes values into its scripts instead of passing them: a flood of bodies that are alike but
 * for their constants, each of which a node compiles and keeps. Told once for each kind of body.
 *
 *     body ─▶ form (quoted texts and words with digits blanked) ─▶ counted ─▶ at FLOOD, the last two are compared
 */
import type { Script } from './script.ts';
import { type Sha, shaOf } from './sha.ts';

/** So many different bodies of one form are no accident; a node from Redis 7.4 and Valkey 8 on evicts beyond as many. */
const FLOOD = 500;
/** Forms that are counted at a time; the one not seen for longest is forgotten. */
const MAX_FORMS = 256;
/** What is looked at of a body. */
const LOOKED_AT_BYTES = 16_384;
const SHOWN_CHARS = 120;

export interface Flood {
  /** Two of the bodies. */
  readonly shas: readonly [Sha, Sha];
  /** The first line in which they differ, from 1. */
  readonly line: number;
  /** That line with what differs blanked: it may hold keys and values, which are nobody's business. */
  readonly source: string;
  /** How many bodies of this form have come. */
  readonly count: number;
}

interface Seen {
  count: number;
  /** The last body but one, kept only just before it is needed. */
  previous: Script | undefined;
}

export class FloodWatch {
  readonly #onFlood: (flood: Flood) => void;
  readonly #forms = new Map<Sha, Seen>();

  constructor(onFlood: (flood: Flood) => void) {
    this.#onFlood = onFlood;
  }

  /** A body that was not known came by EVAL. */
  note(script: Script): void {
    const form = shaOf(Buffer.from(formOf(script.body.toString('latin1', 0, LOOKED_AT_BYTES)), 'latin1'));
    const seen = this.#forms.get(form) ?? { count: 0, previous: undefined };
    this.#forms.delete(form);
    this.#forms.set(form, seen);
    if (this.#forms.size > MAX_FORMS) {
      const [oldest] = this.#forms.keys();
      if (oldest !== undefined) this.#forms.delete(oldest);
    }
    seen.count++;
    if (seen.count === FLOOD - 1) seen.previous = script;
    if (seen.count < FLOOD || seen.previous === undefined) return;
    // The same body again, after it was evicted: the next one will do.
    if (seen.previous.sha === script.sha) return;
    this.#onFlood(floodOf(seen.previous, script, seen.count));
    seen.previous = undefined;
  }
}

/** A quoted text, closed or not, or a word: whatever begins is consumed, so that no text takes more than linear time. */
const TOKEN = /'(?:[^'\\\n]|\\.)*'?|"(?:[^"\\\n]|\\.)*"?|\w+/g;

/** The body without its constants. */
function formOf(text: string): string {
  return text.replaceAll(TOKEN, (token) => {
    if (token.startsWith("'") || token.startsWith('"')) return "'…'";
    return /\d/.test(token) ? '0' : token;
  });
}

function floodOf(one: Script, other: Script, count: number): Flood {
  const oneLines = one.body.toString('latin1').split('\n');
  const otherLines = other.body.toString('latin1').split('\n');
  const differing = oneLines.findIndex((line, i) => line !== otherLines[i]);
  const at = differing < 0 ? oneLines.length - 1 : differing;
  const source = formOf(oneLines[at] ?? '').slice(0, SHOWN_CHARS);
  return { shas: [one.sha, other.sha], line: at + 1, source, count };
}
