/**
 * Keyspace notifications: channels whose messages a node sends to its own subscribers only, so that whoever wants
 * them has to listen at every master.
 */

const PREFIXES: readonly Buffer[] = [Buffer.from('__keyspace@'), Buffer.from('__keyevent@')];

const STAR = 0x2a;
const DASH = 0x2d;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const CARET = 0x5e;

/** Whether the channel in bytes [start, end) is one of keyspace notifications. */
export function isKeyspaceChannel(bytes: Uint8Array, start: number, end: number): boolean {
  for (const prefix of PREFIXES) if (beginsWith(bytes.subarray(start, end), prefix)) return true;
  return false;
}

function beginsWith(text: Uint8Array, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (text[i] !== prefix[i]) return false;
  return true;
}

/** Whether a pattern may match a channel of keyspace notifications; rather true once too often than false. */
export function mayMatchKeyspace(pattern: Uint8Array): boolean {
  return PREFIXES.some((prefix) => mayMatchBeginning(pattern, prefix));
}

/** Walks pattern and text side by side (`stringmatchlen` in Redis's util.c); a class `[…]` stands for any character. */
function mayMatchBeginning(pattern: Uint8Array, text: Uint8Array): boolean {
  let at = 0;
  for (const wanted of text) {
    switch (pattern[at]) {
      case undefined:
        return false;
      case STAR:
        return true;
      case QUESTION:
        break;
      case OPEN:
        at = classEnd(pattern, at);
        break;
      case BACKSLASH:
        if (at + 1 < pattern.length) at++;
        if (pattern[at] !== wanted) return false;
        break;
      default:
        if (pattern[at] !== wanted) return false;
    }
    at++;
  }
  return true;
}

/** Index of the `]` that ends the class which begins at `at`; of the last byte when there is none. */
function classEnd(pattern: Uint8Array, at: number): number {
  const last = pattern.length - 1;
  let i = pattern[at + 1] === CARET ? at + 2 : at + 1;
  while (i < last && pattern[i] !== CLOSE) {
    if (pattern[i] === BACKSLASH) i += 2;
    else if (pattern[i + 1] === DASH && i + 2 <= last) i += 3;
    else i++;
  }
  return Math.min(i, last);
}
