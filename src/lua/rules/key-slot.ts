/**
 * Profile `safe`: a key must not leave the slot of its call. Judged at each call (judge-call.ts) from what is found out
 * here once (key-conditions.ts), so this rule has no function over the text; it gives the words.
 */
import { LUA } from '../../resp/errors.ts';
import type { Finding } from '../report.ts';
import type { WireText } from '../rule.ts';
import type { Source } from '../source.ts';
import type { Part, Template } from '../values/template.ts';

export const keySlot: { readonly id: string; readonly texts: readonly WireText[] } = {
  id: 'key-slot',
  texts: [LUA.keyNeedsTag, LUA.keysArray],
};

const ADVICE_TAG = 'give the keys of each call a hash tag, as in {user1}:a, or pass this key in the KEYS array as well';
const ADVICE_KEYS = 'pass this key in the KEYS array: nothing else tells the proxy and the cluster where it is';

/** What is to be said of a key that may be one of these strings, at a call that starts at `start`. */
export function keyFinding(templates: readonly Template[], start: number, source: Source): Finding {
  const { line, column } = source.positionOf(start);
  const text = keyText(templates, line);
  const hasKeysPart = text !== LUA.keysArray;
  return {
    rule: keySlot.id,
    severity: hasKeysPart ? 'note' : 'warning',
    text,
    line,
    column,
    sourceLine: source.lineText(line),
    advice: hasKeysPart ? ADVICE_TAG : ADVICE_KEYS,
  };
}

/** The refusal of such a key. */
export function keyText(templates: readonly Template[], line: number): string {
  const part = templates.flatMap((template) => template.parts).find((one) => one.kind === 'key');
  return part === undefined ? LUA.keysArray : LUA.keyNeedsTag(line, nameOf(part));
}

function nameOf(part: Part): string {
  if (part.kind === 'literal') return part.text;
  return `${part.kind === 'key' ? 'KEYS' : 'ARGV'}[${part.isRest ? 'i' : part.index}]`;
}
